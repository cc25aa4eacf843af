using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Harness.Bench.Peers;

namespace Harness.Tests.Models.Llama;

/// <summary>
/// A checkpoint in Hugging Face layout written anew as llama.cpp reads it, without a vocabulary.
/// </summary>
internal static class GgufFile
{
    /// <summary>In float32.</summary>
    /// <param name="directory">config.json and *.safetensors.</param>
    public static void Write(string directory, string path) => Write(directory, path, GgufType.F32, (values, _) => Float(values));

    /// <param name="directory">config.json and *.safetensors.</param>
    /// <param name="type">Of the matrices.</param>
    /// <param name="matrix">A matrix in that type, from its values and its number of rows.</param>
    public static void Write(string directory, string path, GgufType type, Func<double[], int, byte[]> matrix)
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
            var isMatrix = shape.Length == 2;
            return new GgufTensor(GgufWriter.Rename(name), shape, isMatrix ? type : GgufType.F32,
                stream => stream.Write(isMatrix ? matrix(values, shape[0]) : Float(values)));
        }).ToList();

        GgufWriter.Write(path, pairs, tensors);
    }

    private static byte[] Float(double[] values) =>
        MemoryMarshal.AsBytes<float>(Array.ConvertAll(values, value => (float)value)).ToArray();

    private static double[] Interleaved(double[] matrix, int heads, int dimension)
    {
        var columns = matrix.Length / (heads * dimension);
        var result = new double[matrix.Length];
        for (var row = 0; row < heads * dimension; row++)
            Array.Copy(matrix, GgufWriter.Interleaved(row, dimension) * columns, result, row * columns, columns);
        return result;
    }
}
