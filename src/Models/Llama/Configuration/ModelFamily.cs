using Harness.Common;

namespace Harness.Models.Llama.Configuration;

/// <summary>
/// The defaults in which the supported families differ, from LlamaConfig and MistralConfig of transformers 5
/// (<c>models/llama/configuration_llama.py</c>, <c>models/mistral/configuration_mistral.py</c>).
/// </summary>
/// <param name="ModelType">The word in config.json.</param>
/// <param name="Architectures">Names of the model's class; the first is today's.</param>
/// <param name="KeyValueHeads">Where the key is missing; null for as many as there are query heads.</param>
/// <param name="MaxPositions">Tokens, where the key is missing.</param>
/// <param name="DefaultWindow">Tokens, where the key is missing; null for a family whose attention has no window.</param>
internal sealed record ModelFamily(string ModelType, string[] Architectures, int? KeyValueHeads, int MaxPositions, int? DefaultWindow)
{
    private static readonly ModelFamily[] s_all =
    [
        new("llama", ["LlamaForCausalLM", "LLaMAForCausalLM"], KeyValueHeads: null, MaxPositions: 2048, DefaultWindow: null),
        new("mistral", ["MistralForCausalLM"], KeyValueHeads: 8, MaxPositions: 4096 * 32, DefaultWindow: 4096),
    ];

    /// <summary>By <c>model_type</c>, as transformers' auto classes choose; by <c>architectures</c> where that is missing.</summary>
    /// <exception cref="UserErrorException">It is another family's model.</exception>
    public static ModelFamily Of(ConfigReader json)
    {
        var (type, architecture) = (json.Text("model_type"), json.Text("architectures"));
        var byType = s_all.FirstOrDefault(family => family.ModelType == type);
        var byArchitecture = s_all.FirstOrDefault(family => family.Architectures.Contains(architecture));
        if (architecture != null && byArchitecture == null)
            throw json.Refuse("architectures", architecture,
                $"supported: {string.Join(", ", s_all.Select(family => family.Architectures[0]))}");
        if (type != null && byType == null)
            throw json.Refuse("model_type", type, $"supported: {string.Join(", ", s_all.Select(family => family.ModelType))}");
        if (byType != null && byArchitecture != null && byType != byArchitecture)
            json.Note($"architectures is {architecture}, but model_type {type}; model_type goes first");
        return byType ?? byArchitecture ?? s_all[0];
    }

    /// <summary>Tokens that attention reaches back; 0 for all of them.</summary>
    public int Window(ConfigReader json, int maxPositions)
    {
        var window = json.Mentions("sliding_window") ? json.Int("sliding_window", int.MaxValue, 0) : DefaultWindow ?? 0;
        if (window == 0) return 0;
        if (!json.Bool("use_sliding_window", true)) throw json.Refuse("use_sliding_window", "false", $"transformers does not read it for "
            + $"{ModelType}; say \"sliding_window\": null");
        if (DefaultWindow != null) return window;
        if (window < maxPositions) throw json.Refuse("sliding_window", window, $"the attention of {Architectures[0]} has no window; "
            + "say null, or \"model_type\": \"mistral\"");
        return 0;
    }
}
