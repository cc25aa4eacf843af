using System.Text;
using System.Text.Json.Nodes;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>A checkpoint of random weights in Hugging Face layout, as small and as odd as a test likes.</summary>
internal sealed record TinyCheckpoint
{
    public int Hidden { get; init; } = 32;
    public int Layers { get; init; } = 2;
    public int Heads { get; init; } = 4;
    public int KeyValueHeads { get; init; } = 4;

    /// <summary>Null: hidden / heads, and not said in config.json.</summary>
    public int? HeadDimension { get; init; }
    public int FeedForward { get; init; } = 48;
    public int Vocabulary { get; init; } = 67;
    public bool Tied { get; init; }
    public DType DType { get; init; } = DType.F32;

    /// <summary>1: model.safetensors; more: that many shards with an index.</summary>
    public int Shards { get; init; } = 1;
    public int Seed { get; init; } = 1;

    /// <summary>Queries, keys and values have a bias.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Heads of queries and keys have a norm.</summary>
    public bool HeadNorms { get; init; }

    /// <summary>Further keys of config.json, as JSON members: "\"rope_theta\": 500000".</summary>
    public string Further { get; init; } = "";

    /// <summary>Values that stand in a tensor instead of its own, by the tensor's name: the element, row by row, and the value.</summary>
    public IReadOnlyList<(string Tensor, int Element, double Value)> Spoilt { get; init; } = [];

    private int Dimension => HeadDimension ?? Hidden / Heads;

    /// <summary>Name and shape of every tensor, in the order of the file.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
        for (var layer = 0; layer < Layers; layer++)
        {
            var name = $"model.layers.{layer}.";
            yield return (name + "input_layernorm.weight", [Hidden]);
            yield return (name + "self_attn.q_proj.weight", [Heads * Dimension, Hidden]);
            yield return (name + "self_attn.k_proj.weight", [KeyValueHeads * Dimension, Hidden]);
            yield return (name + "self_attn.v_proj.weight", [KeyValueHeads * Dimension, Hidden]);
            if (QkvBias)
            {
                yield return (name + "self_attn.q_proj.bias", [Heads * Dimension]);
                yield return (name + "self_attn.k_proj.bias", [KeyValueHeads * Dimension]);
                yield return (name + "self_attn.v_proj.bias", [KeyValueHeads * Dimension]);
            }
            if (HeadNorms)
            {
                yield return (name + "self_attn.q_norm.weight", [Dimension]);
                yield return (name + "self_attn.k_norm.weight", [Dimension]);
            }
            yield return (name + "self_attn.o_proj.weight", [Hidden, Heads * Dimension]);
            yield return (name + "post_attention_layernorm.weight", [Hidden]);
            yield return (name + "mlp.gate_proj.weight", [FeedForward, Hidden]);
            yield return (name + "mlp.up_proj.weight", [FeedForward, Hidden]);
            yield return (name + "mlp.down_proj.weight", [Hidden, FeedForward]);
        }
        yield return ("model.norm.weight", [Hidden]);
        if (!Tied) yield return ("lm_head.weight", [Vocabulary, Hidden]);
    }

    public string ConfigJson()
    {
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["model_type"] = "llama",
            ["hidden_size"] = Hidden,
            ["intermediate_size"] = FeedForward,
            ["num_hidden_layers"] = Layers,
            ["num_attention_heads"] = Heads,
            ["num_key_value_heads"] = KeyValueHeads,
            ["vocab_size"] = Vocabulary,
            ["max_position_embeddings"] = 256,
            ["rms_norm_eps"] = 1e-5,
            ["hidden_act"] = "silu",
            ["tie_word_embeddings"] = Tied,
        };
        if (HeadDimension != null) config["head_dim"] = HeadDimension;
        foreach (var (key, value) in JsonNode.Parse($"{{{Further}}}")!.AsObject()) config[key] = value?.DeepClone();
        return config.ToJsonString();
    }

    /// <returns>The directory.</returns>
    public string Write(ScratchDirectory scratch, string name = "model")
    {
        scratch.File(Path.Combine(name, "config.json"), ConfigJson());
        var random = new Random(Seed);
        var tensors = Tensors().Select(t => (t.Name, t.Shape, Bytes: Spoil(t.Name, Values(t.Shape, random)))).ToArray();
        if (Shards == 1)
        {
            WriteFile(scratch[name, "model.safetensors"], tensors);
            return scratch[name];
        }
        var map = new JsonObject();
        for (var shard = 0; shard < Shards; shard++)
        {
            var file = $"model-{shard + 1:00000}-of-{Shards:00000}.safetensors";
            // Dealt out in turn, so that no layer lies in one file.
            var part = tensors.Where((_, i) => i % Shards == shard).ToArray();
            WriteFile(scratch[name, file], part);
            foreach (var tensor in part) map[tensor.Name] = file;
        }
        scratch.File(Path.Combine(name, "model.safetensors.index.json"),
            new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
        return scratch[name];
    }

    /// <summary>Norms around one, matrices of the size that keeps activations near one.</summary>
    private byte[] Values(int[] shape, Random random)
    {
        var count = shape.Aggregate((a, b) => a * b);
        var spread = shape.Length == 1 ? 0.2 : Math.Sqrt(3.0 / shape[1]);
        var bytes = new List<byte>(count * 4);
        for (var i = 0; i < count; i++)
            bytes.AddRange(StoredNumber.Bytes(
                StoredNumber.Round((shape.Length == 1 ? 1 : 0) + spread * (2 * random.NextDouble() - 1), DType), DType));
        return [.. bytes];
    }

    private byte[] Spoil(string name, byte[] bytes)
    {
        foreach (var (_, element, value) in Spoilt.Where(one => one.Tensor == name))
        {
            var stored = StoredNumber.Bytes(value, DType).ToArray();
            stored.CopyTo(bytes, element * stored.Length);
        }
        return bytes;
    }

    private void WriteFile(string path, (string Name, int[] Shape, byte[] Bytes)[] tensors) =>
        WriteFile(path, tensors.Select(t => (t.Name, DType.ToString(), t.Shape, t.Bytes)));

    /// <summary>Eight bytes of header length, the header, the data.</summary>
    public static void WriteFile(string path, IEnumerable<(string Name, string DType, int[] Shape, byte[] Bytes)> tensors)
    {
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        using var data = new MemoryStream();
        foreach (var (name, dtype, shape, bytes) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. shape.Select(n => (JsonNode)n)]),
                ["data_offsets"] = new JsonArray(data.Length, data.Length + bytes.Length),
            };
            data.Write(bytes);
        }
        var text = Encoding.UTF8.GetBytes(header.ToJsonString());
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)text.Length), .. text, .. data.ToArray()]);
    }
}
