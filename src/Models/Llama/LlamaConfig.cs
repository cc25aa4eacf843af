using System.Text.Json;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama;

/// <summary>What a checkpoint's <c>config.json</c> says of the model, as Hugging Face transformers reads it.</summary>
public sealed record LlamaConfig
{
    public required ModelShape Shape { get; init; }
    public required float NormEpsilon { get; init; }

    /// <summary>Longest sequence, in tokens, that the model was made for.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Sliding attention window in tokens; 0 where attention reaches back to the beginning.</summary>
    public required int Window { get; init; }
    public required RotaryEmbedding Rotary { get; init; }
    public required DType DType { get; init; }

    /// <exception cref="UserErrorException">The file is unreadable, or asks for something this model does not have.</exception>
    public static LlamaConfig Load(string file)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            return Parse(document.RootElement, file);
        }
        catch (JsonException e) { throw new UserErrorException($"{file} is not valid JSON (line {e.LineNumber + 1}); fetch the checkpoint again", e); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {file}: {e.Message}; --model takes a Hugging Face checkpoint directory or synthetic:NAME", e);
        }
    }

    public static LlamaConfig Parse(JsonElement root, string source)
    {
        var json = new ConfigReader(root, source);
        RefuseWhatIsNotHonoured(json);
        var heads = json.Int("num_attention_heads");
        var hidden = json.Int("hidden_size");
        var headDimension = json.Int("head_dim", hidden / heads);
        if (headDimension == 0 || headDimension % 2 != 0) throw json.Refuse("head_dim", headDimension, "rotary embedding needs an even number of features per head");
        var shape = new ModelShape(
            json.Int("num_hidden_layers"), hidden, json.Int("intermediate_size"),
            heads, json.Int("num_key_value_heads", heads), headDimension,
            json.Int("vocab_size"), json.Bool("tie_word_embeddings", false));
        if (heads % shape.KeyValueHeads != 0) throw json.Refuse("num_key_value_heads", shape.KeyValueHeads, $"it must divide num_attention_heads, {heads}");
        return new LlamaConfig
        {
            Shape = shape,
            NormEpsilon = json.Float("rms_norm_eps", 1e-6f),
            MaxPositions = json.Int("max_position_embeddings", 2048),
            Window = json.Int("sliding_window", 0),
            Rotary = RotaryEmbedding.Parse(json, headDimension),
            DType = json.DType(),
        };
    }

    /// <summary>A setting that changes the arithmetic and is not implemented must stop the run, or its numbers describe another model.</summary>
    private static void RefuseWhatIsNotHonoured(ConfigReader json)
    {
        if (json.Text("architectures") is { } architecture && architecture is not ("LlamaForCausalLM" or "LLaMAForCausalLM" or "MistralForCausalLM"))
            throw json.Refuse("architectures", architecture, "supported: LlamaForCausalLM, MistralForCausalLM");
        if (json.Text("model_type") is { } type && type is not ("llama" or "mistral"))
            throw json.Refuse("model_type", type, "supported: llama, mistral");
        foreach (var bias in (string[])["attention_bias", "mlp_bias"])
            if (json.Bool(bias, false)) throw json.Refuse(bias, true, "only models without bias are supported");
        if (json.Text("hidden_act") is { } activation && activation is not ("silu" or "swish"))
            throw json.Refuse("hidden_act", activation, "supported: silu");
        if (json.Has("quantization_config")) throw json.Refuse("quantization_config", "present", "only f32, bf16 and f16 weights are supported");
        foreach (var part in (ConfigReader?[])[json, json.Section("rope_parameters")])
            if (part?.Float("partial_rotary_factor", 1) is not (null or 1)) throw part!.Refuse("partial_rotary_factor", part.Float("partial_rotary_factor", 1), "supported: 1");
    }
}
