using Harness.Common;

namespace Harness.Models.Llama.Configuration;

/// <summary>
/// What the supported families differ in: defaults, and parts that a layer has in one and not in another. From the configuration and
/// modeling files of transformers 5 (<c>models/llama</c>, <c>models/mistral</c>, <c>models/qwen2</c>, <c>models/qwen3</c>).
/// </summary>
/// <param name="ModelType">The word in config.json.</param>
/// <param name="Architectures">Names of the model's class; the first is today's.</param>
/// <param name="MaxPositions">Tokens, where the key is missing.</param>
internal sealed record ModelFamily(string ModelType, string[] Architectures, int MaxPositions)
{
    private static readonly ModelFamily[] s_all =
    [
        new("llama", ["LlamaForCausalLM", "LLaMAForCausalLM"], MaxPositions: 2048),
        new("mistral", ["MistralForCausalLM"], MaxPositions: 4096 * 32) { KeyValueHeads = 8, DefaultWindow = 4096 },
        new("qwen2", ["Qwen2ForCausalLM"], MaxPositions: 32768) { KeyValueHeads = 32, WindowIsSwitched = true, QkvBias = true },
        new("qwen3", ["Qwen3ForCausalLM"], MaxPositions: 32768)
        {
            KeyValueHeads = 32,
            HeadDimension = 128,
            WindowIsSwitched = true,
            HeadNorms = true,
        },
    ];

    /// <summary>Where the key is missing; null for as many as there are query heads.</summary>
    public int? KeyValueHeads { get; private init; }

    /// <summary>Where the key is missing; null for hidden size / query heads.</summary>
    public int? HeadDimension { get; private init; }

    /// <summary>Tokens, where the key is missing; null for a family whose attention has no window of itself.</summary>
    public int? DefaultWindow { get; private init; }

    /// <summary>A window is followed only with use_sliding_window, and only by the layers from max_window_layers on.</summary>
    public bool WindowIsSwitched { get; private init; }

    /// <inheritdoc cref="Sharding.ModelShape.QkvBias"/>
    public bool QkvBias { get; private init; }

    /// <inheritdoc cref="Sharding.ModelShape.HeadNorms"/>
    public bool HeadNorms { get; private init; }

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
    public int Window(ConfigReader json, int maxPositions, int layers)
    {
        if (WindowIsSwitched) return SwitchedWindow(json, maxPositions, layers);
        var window = json.Mentions("sliding_window") ? json.Int("sliding_window", int.MaxValue, 0) : DefaultWindow ?? 0;
        if (window == 0) return 0;
        if (!json.Bool("use_sliding_window", true)) throw json.Refuse("use_sliding_window", "false", $"transformers does not read it for "
            + $"{ModelType}; say \"sliding_window\": null");
        if (DefaultWindow != null) return window;
        if (window < maxPositions) throw json.Refuse("sliding_window", window, $"the attention of {Architectures[0]} has no window; "
            + "say null, or \"model_type\": \"mistral\"");
        return 0;
    }

    /// <summary>Qwen2Config, Qwen3Config: the first max_window_layers layers attend to all, the others through the window.</summary>
    private static int SwitchedWindow(ConfigReader json, int maxPositions, int layers)
    {
        if (!json.Bool("use_sliding_window", false)) return 0;
        var window = json.Mentions("sliding_window") ? json.Int("sliding_window", int.MaxValue, 0) : 4096;
        var whole = json.Count("max_window_layers", 28);
        if (window == 0 || window >= maxPositions || whole >= layers) return 0;
        return whole == 0 ? window : throw json.Refuse("max_window_layers", whole, $"of {layers} layers, the others would have a window "
            + $"of {window} tokens, and every layer attends in the same way here; supported: \"use_sliding_window\": false");
    }
}
