using System.Text;
using System.Text.Json.Nodes;

namespace Harness.Tests.Models.Llama;

/// <summary>
/// A checkpoint in Hugging Face layout written anew as llama.cpp reads it, in float32 and without a vocabulary
/// (github.com/ggml-org/ggml/blob/master/docs/gguf.md; names of keys and tensors: gguf-py/gguf/constants.py).
/// </summary>
internal static class GgufFile
{
    private const int Alignment = 32, Float32 = 0;
    private const uint TypeUInt32 = 4, TypeFloat32 = 6, TypeString = 8;

    private static readonly (string Ours, string Theirs)[] s_names =
    [
        ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"), ("model.layers", "blk"),
        ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"), ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"), ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
    ];

    /// <param name="directory">config.json and *.safetensors.</param>
    public static void Write(string directory, string path)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(directory, "config.json")))!;
        var architecture = (string)config["model_type"]!;
        var heads = (int)config["num_attention_heads"]!;
        var keyValueHeads = (int?)config["num_key_value_heads"] ?? heads;
        var dimension = (int?)config["head_dim"] ?? (int)config["hidden_size"]! / heads;
        (string Key, object Value)[] pairs =
        [
            ("general.architecture", architecture),
            ("tokenizer.ggml.model", "no_vocab"),
            ($"{architecture}.vocab_size", (uint)config["vocab_size"]!),
            ($"{architecture}.context_length", (uint)config["max_position_embeddings"]!),
            ($"{architecture}.embedding_length", (uint)config["hidden_size"]!),
            ($"{architecture}.block_count", (uint)config["num_hidden_layers"]!),
            ($"{architecture}.feed_forward_length", (uint)config["intermediate_size"]!),
            ($"{architecture}.attention.head_count", (uint)heads),
            ($"{architecture}.attention.head_count_kv", (uint)keyValueHeads),
            ($"{architecture}.attention.key_length", (uint)dimension),
            ($"{architecture}.attention.value_length", (uint)dimension),
            ($"{architecture}.attention.layer_norm_rms_epsilon", (float)config["rms_norm_eps"]!),
            ($"{architecture}.rope.dimension_count", (uint)dimension),
            ($"{architecture}.rope.freq_base", (float?)config["rope_theta"] ?? 10_000),
        ];
        var checkpoint = new SafeTensorsReader(directory);
        var tensors = checkpoint.Names.Select(name =>
        {
            var (shape, values) = checkpoint.Read(name);
            // LLaMA's own files rotate neighbours, Hugging Face's halves: llama.cpp has the former for this architecture.
            if (architecture == "llama" && (name.Contains("q_proj") || name.Contains("k_proj")))
                values = Interleaved(values, name.Contains("q_proj") ? heads : keyValueHeads, dimension);
            return (Name: Rename(name), Shape: shape, Values: values);
        }).ToList();

        using var file = new BinaryWriter(File.Create(path));
        file.Write("GGUF"u8);
        file.Write(3u);
        file.Write((long)tensors.Count);
        file.Write((long)pairs.Length);
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
            }
        }
        var offset = 0L;
        foreach (var (name, shape, values) in tensors)
        {
            Text(file, name);
            file.Write(shape.Length);
            foreach (var size in shape.Reverse()) file.Write((long)size);       // the fastest first
            file.Write(Float32);
            file.Write(offset);
            offset = Aligned(offset + 4L * values.Length);
        }
        var start = Aligned(file.BaseStream.Position);
        offset = 0;
        foreach (var (_, _, values) in tensors)
        {
            file.BaseStream.Position = start + offset;
            foreach (var value in values) file.Write((float)value);
            offset = Aligned(offset + 4L * values.Length);
        }
        file.BaseStream.SetLength(start + offset);
    }

    private static double[] Interleaved(double[] matrix, int heads, int dimension)
    {
        var columns = matrix.Length / (heads * dimension);
        var result = new double[matrix.Length];
        for (var row = 0; row < heads * dimension; row++)
        {
            var (head, feature) = (row / dimension, row % dimension);
            var to = head * dimension + feature % (dimension / 2) * 2 + feature / (dimension / 2);
            Array.Copy(matrix, row * columns, result, to * columns, columns);
        }
        return result;
    }

    private static string Rename(string name) => s_names.Aggregate(name, (text, pair) => text.Replace(pair.Ours + ".", pair.Theirs + "."));

    private static long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;

    private static void Text(BinaryWriter file, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        file.Write((long)bytes.Length);
        file.Write(bytes);
    }
}
