namespace Harness.Models.Llama.Configuration;

/// <summary>
/// Rotary position embedding (Su et al. 2021): pair i of a head turns by position · θ^(-2i/d) radians. Longer contexts
/// are reached by slower turning: all pairs alike (linear, Chen et al. 2023), or only those whose wavelength exceeds
/// the context of pre-training (llama3, as in transformers' <c>_compute_llama3_parameters</c>).
/// </summary>
public sealed class RotaryEmbedding
{
    /// <summary>Radians per position for each of the head's d/2 pairs; computed in float64.</summary>
    public float[] Frequencies { get; }

    private RotaryEmbedding(double[] frequencies) => Frequencies = Array.ConvertAll(frequencies, frequency => (float)frequency);

    /// <summary>
    /// As transformers 5 (<c>convert_rope_params_to_dict</c>, <c>standardize_rope_params</c>): rope_scaling as a whole goes before
    /// rope_parameters.
    /// </summary>
    /// <param name="maxPositions">Of the model, in tokens: what llama3 was stretched from, where nothing else says.</param>
    internal static RotaryEmbedding Parse(ConfigReader json, int headDimension, int maxPositions)
    {
        var (older, newer) = (json.Section("rope_scaling", CheckpointKeys.Rope), json.Section("rope_parameters", CheckpointKeys.Rope));
        if (older != null && newer != null && json.Raw("rope_scaling") != json.Raw("rope_parameters"))
            json.Note("rope_scaling and rope_parameters differ; rope_scaling goes first, as a whole");
        var section = older ?? newer;
        var theta = Theta(json, section);
        var frequencies = Unscaled(theta, headDimension);
        switch (Type(section))
        {
            case "default":
                if (section?.Has("factor") == true && section.Positive("factor") is not 1 and var factor)
                    throw section.Refuse("factor", factor, "there is no rope_type that reads it; supported: linear, llama3");
                return new(frequencies);
            case "linear":
                return new(Array.ConvertAll(frequencies, frequency => frequency / section!.Positive("factor")));
            case "llama3":
                return new(StretchLongWaves(frequencies, section!.Positive("factor"), section.Positive("low_freq_factor"),
                    section.Positive("high_freq_factor"),
                    json.Has("original_max_position_embeddings") ? json.Positive("original_max_position_embeddings")
                        : section.Positive("original_max_position_embeddings", maxPositions)));
            case var type:
                throw section!.Refuse("rope_type", type, "supported: default, linear, llama3");
        }
    }

    private static float Theta(ConfigReader json, ConfigReader? section)
    {
        if (section?.Has("rope_theta") != true) return json.Positive("rope_theta", 10_000);
        var theta = section.Positive("rope_theta");
        if (json.Has("rope_theta") && json.Positive("rope_theta") is var outer && outer != theta)
            json.Note(FormattableString.Invariant($"rope_theta is {outer}, but {theta} with the other RoPE settings, which goes first"));
        return theta;
    }

    private static string Type(ConfigReader? section)
    {
        var (type, older) = (section?.Text("rope_type"), section?.Text("type"));
        if (type != null && older != null && type != older) section!.Note($"rope_type is {type} and type {older}; rope_type goes first");
        return type ?? older ?? "default";
    }

    /// <param name="stretch">Factor of llama3 scaling with Llama 3.1's other settings; null for none.</param>
    internal static RotaryEmbedding Of(double theta, int headDimension, double? stretch)
    {
        var frequencies = Unscaled(theta, headDimension);
        return new(stretch is { } factor ? StretchLongWaves(frequencies, factor, low: 1, high: 4, context: 8192) : frequencies);
    }

    private static double[] Unscaled(double theta, int headDimension) =>
        [.. Enumerable.Range(0, headDimension / 2).Select(i => Math.Pow(theta, -2.0 * i / headDimension))];

    private static double[] StretchLongWaves(double[] frequencies, double factor, double low, double high, double context) =>
        Array.ConvertAll(frequencies, frequency =>
        {
            var turns = context * frequency / (2 * Math.PI);        // full turns within the original context
            var kept = Math.Clamp((turns - low) / (high - low), 0, 1);
            return kept * frequency + (1 - kept) * frequency / factor;
        });
}
