namespace Harness.Models.Llama;

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

    internal static RotaryEmbedding Parse(ConfigReader json, int headDimension)
    {
        // transformers 5 gathers both settings under rope_parameters; before, rope_theta stood at the top.
        var scaling = json.Section("rope_parameters") ?? json.Section("rope_scaling");
        var theta = scaling?.Has("rope_theta") == true ? scaling.Positive("rope_theta") : json.Positive("rope_theta", 10_000);
        var frequencies = Unscaled(theta, headDimension);
        return (scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default") switch
        {
            "default" => new(frequencies),
            "linear" => new(Array.ConvertAll(frequencies, frequency => frequency / scaling!.Positive("factor"))),
            "llama3" => new(StretchLongWaves(frequencies, scaling!.Positive("factor"), scaling.Positive("low_freq_factor"),
                scaling.Positive("high_freq_factor"), scaling.Positive("original_max_position_embeddings"))),
            var type => throw scaling!.Refuse("rope_type", type, "supported: default, linear, llama3"),
        };
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
