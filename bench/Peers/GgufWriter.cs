using System.Text;

namespace Harness.Bench.Peers;

/// <summary>Element types of tensors, with the numbers that the format gives them.</summary>
internal enum GgufType
{
    F32 = 0,
    F16 = 1,

    /// <summary>Blocks of 32: a float16 scale and 32 bytes.</summary>
    Q8 = 8,
    BF16 = 30,
}

/// <summary>A tensor of <paramref name="Shape"/>, rows first, whose bytes are written when the file is.</summary>
internal sealed record GgufTensor(string Name, int[] Shape, GgufType Type, Action<Stream> Write)
{
    public long Bytes => Shape.Aggregate(1L, (product, size) => product * size) * Type switch
    {
        GgufType.F32 => 128,
        GgufType.Q8 => 34,
        _ => 64,
    } / 32;
}

/// <summary>
/// A model as llama.cpp reads it, without a vocabulary (github.com/ggml-org/ggml/blob/master/docs/gguf.md; names of keys and tensors:
/// gguf-py/gguf/constants.py).
/// </summary>
internal static class GgufWriter
{
    private const int Alignment = 32;
    private const uint TypeUInt32 = 4, TypeFloat32 = 6, TypeString = 8;

    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers", "blk"),
        ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
    ];

    /// <summary>What llama.cpp calls a tensor of a Hugging Face checkpoint.</summary>
    public static string Rename(string name) => s_names.Aggregate(name, (text, pair) => text.Replace(pair.Ours + ".", pair.Theirs + "."));

    /// <summary>
    /// The row that stands in row <paramref name="row"/> of a query or key matrix: LLaMA's own files rotate neighbours, Hugging Face's
    /// halves, and llama.cpp has the former for that architecture.
    /// </summary>
    public static int Interleaved(int row, int dimension)
    {
        var (head, feature) = (row / dimension, row % dimension);
        return head * dimension + feature / 2 + feature % 2 * (dimension / 2);
    }

    /// <param name="pairs">Values are texts, uint or float.</param>
    public static void Write(string path, IReadOnlyList<(string Key, object Value)> pairs, IReadOnlyList<GgufTensor> tensors)
    {
        using var stream = File.Create(path);
        using var file = new BinaryWriter(stream);
        file.Write("GGUF"u8);
        file.Write(3u);
        file.Write((long)tensors.Count);
        file.Write((long)pairs.Count);
        foreach (var (key, value) in pairs)
        {
            Text(file, key);
            switch (value)
            {
                case string text:
                    file.Write(TypeString);
                    Text(file, text);
                    break;
                case uint number:
                    file.Write(TypeUInt32);
                    file.Write(number);
                    break;
                case float number:
                    file.Write(TypeFloat32);
                    file.Write(number);
                    break;
                default: throw new ArgumentException($"{key} is a {value.GetType().Name}", nameof(pairs));
            }
        }
        var offset = 0L;
        foreach (var tensor in tensors)
        {
            Text(file, tensor.Name);
            file.Write(tensor.Shape.Length);
            foreach (var size in tensor.Shape.Reverse()) file.Write((long)size);       // the fastest first
            file.Write((int)tensor.Type);
            file.Write(offset);
            offset = Aligned(offset + tensor.Bytes);
        }
        file.Flush();
        var start = Aligned(stream.Position);
        foreach (var tensor in tensors)
        {
            stream.Position = start;
            tensor.Write(stream);
            if (stream.Position != start + tensor.Bytes)
                throw new InvalidOperationException($"{tensor.Name} wrote {stream.Position - start} bytes, not {tensor.Bytes}");
            start = Aligned(start + tensor.Bytes);
        }
        stream.SetLength(start);
    }

    private static long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;

    private static void Text(BinaryWriter file, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        file.Write((long)bytes.Length);
        file.Write(bytes);
    }
}
