using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Bench.Peers;

/// <summary>A synthetic LLaMA as llama.cpp reads it, its matrices in one element type, norms in float32, row by row.</summary>
internal static class GgufModel
{
    /// <summary>Of q8_0.</summary>
    private const int BlockWeights = 32;

    /// <exception cref="UserErrorException">The shape has what plain LLaMA has not.</exception>
    public static void Write(ICheckpoint checkpoint, GgufType type, string path)
    {
        var (config, shape) = (checkpoint.Config, checkpoint.Config.Shape);
        var theta = Theta(config);
        if (shape.QkvBias || shape.HeadNorms || theta == null || config.Window > 0)
            throw new UserErrorException(
                $"{checkpoint.Name} is not a plain LLaMA (biases, head norms, stretched positions, a window); "
                + "use synthetic:tinyllama-1.1b");
        if (type == GgufType.Q8 && (shape.Hidden % BlockWeights != 0 || shape.FeedForward % BlockWeights != 0))
            throw new UserErrorException($"{checkpoint.Name} has rows that are not whole blocks of {BlockWeights} weights; "
                + "use --llama f16,bf16");
        (string, object)[] pairs =
        [
            ("general.architecture", "llama"),
            ("tokenizer.ggml.model", "no_vocab"),
            ("llama.vocab_size", (uint)shape.Vocabulary),
            ("llama.context_length", (uint)config.MaxPositions),
            ("llama.embedding_length", (uint)shape.Hidden),
            ("llama.block_count", (uint)shape.Layers),
            ("llama.feed_forward_length", (uint)shape.FeedForward),
            ("llama.attention.head_count", (uint)shape.QueryHeads),
            ("llama.attention.head_count_kv", (uint)shape.KeyValueHeads),
            ("llama.attention.key_length", (uint)shape.HeadDimension),
            ("llama.attention.value_length", (uint)shape.HeadDimension),
            ("llama.attention.layer_norm_rms_epsilon", config.NormEpsilon),
            ("llama.rope.dimension_count", (uint)shape.HeadDimension),
            ("llama.rope.freq_base", theta.Value),
        ];
        var tensors = new ShardPlan(shape, 1, 1).For(0, 0).Tensors().Select(slice =>
        {
            var stored = slice.IsVector ? GgufType.F32 : type;
            var rotated = slice.Name.Contains("q_proj", StringComparison.Ordinal)
                || slice.Name.Contains("k_proj", StringComparison.Ordinal);
            int[] size = slice.IsVector ? [(int)slice.Elements] : [slice.Rows.Count, slice.Columns.Count];
            return new GgufTensor(GgufWriter.Rename(slice.Name), size, stored, stream =>
            {
                var source = checkpoint.Read(slice);
                for (var row = 0; row < source.Rows; row++)
                    stream.Write(Stored(Row(source, rotated ? GgufWriter.Interleaved(row, shape.HeadDimension) : row), stored));
            });
        });
        GgufWriter.Write(path, pairs, [.. tensors]);
    }

    /// <summary>The base of the rotations; null where they are not its powers.</summary>
    private static float? Theta(LlamaConfig config)
    {
        var frequencies = config.Rotary.Frequencies;
        var theta = Math.Round(Math.Pow(frequencies[1], -frequencies.Length));
        var plain = frequencies.Select((f, i) => Math.Abs(f * Math.Pow(theta, (double)i / frequencies.Length) - 1)).Max() < 1e-4;
        return plain ? (float)theta : null;
    }

    private static float[] Row(WeightSlice source, int row)
    {
        if (source.DType != DType.BF16) throw new ArgumentException($"{source.Name} is {source.DType.Label()}", nameof(source));
        var bits = new ushort[source.Columns];
        source.CopyRows(row, 1, MemoryMarshal.AsBytes(bits.AsSpan()));
        return Array.ConvertAll(bits, value => BitConverter.UInt32BitsToSingle((uint)value << 16));
    }

    private static ReadOnlySpan<byte> Stored(float[] row, GgufType type) => type switch
    {
        GgufType.F32 => MemoryMarshal.AsBytes(row.AsSpan()),
        GgufType.F16 => MemoryMarshal.AsBytes(Array.ConvertAll(row, value => (Half)value).AsSpan()),
        GgufType.BF16 =>
            MemoryMarshal.AsBytes(Array.ConvertAll(row, value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)).AsSpan()),
        _ => Blocks(row),
    };

    /// <summary>
    /// Each 32 weights w as round(w / d), d = max |w| / 127 in float16 before them (ggml-quants.c, quantize_row_q8_0_ref).
    /// </summary>
    private static byte[] Blocks(float[] row)
    {
        const int bytes = 34;
        var result = new byte[row.Length / BlockWeights * bytes];
        for (var b = 0; b < row.Length / BlockWeights; b++)
        {
            var weights = row.AsSpan(b * BlockWeights, BlockWeights);
            var target = result.AsSpan(b * bytes, bytes);
            var largest = 0f;
            foreach (var weight in weights) largest = Math.Max(largest, Math.Abs(weight));
            var scale = largest / 127;
            BitConverter.TryWriteBytes(target, (Half)scale);
            for (var i = 0; i < BlockWeights; i++)
                target[2 + i] = scale == 0 ? (byte)0 : (byte)(sbyte)MathF.Round(weights[i] / scale, MidpointRounding.AwayFromZero);
        }
        return result;
    }
}
