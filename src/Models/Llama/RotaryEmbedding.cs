namespace Harness.Models.Llama;

/// <summary>
/// Rotary position embedding (Su et al. 2021): pair i of a head turns by position · θ^(-2i/d) radians. Longer contexts
/// are reached by slower turning: all pairs alike (linear, Chen et al. 2023), or only those whose wavelength exceeds
/// the context of pre-training (llama3, as in transformers' <c>_compute_llama3_parameters</c>).
/// </summary>
public sealed class RotaryEmbedding
{
    /// <summary>Radians per position for each of the head's d/2 pairs.</summary>
    public required float[] Frequencies { get; init; }

    internal static RotaryEmbedding Parse(ConfigReader json, int headDimension)
    {
        // transformers 5 gathers both settings under rope_parameters; before, rope_theta stood at the top.
        var scaling = json.Section("rope_parameters") ?? json.Section("rope_scaling");
        var theta = scaling?.Float("rope_theta", 0) is > 0 and var inner ? inner : json.Float("rope_theta", 10_000);
        var frequencies = Unscaled(theta, headDimension);
        switch (scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default")
        {
            case "default": break;
            case "linear":
                var factor = scaling!.Float("factor", 1);
                for (var i = 0; i < frequencies.Length; i++) frequencies[i] /= factor;
                break;
            case "llama3":
                StretchLongWaves(frequencies, scaling!.Float("factor", 8), scaling.Float("low_freq_factor", 1),
                    scaling.Float("high_freq_factor", 4), scaling.Float("original_max_position_embeddings", 8192));
                break;
            case var type: throw scaling!.Refuse("rope_type", type, "supported: default, linear, llama3");
        }
        return new() { Frequencies = frequencies };
    }

    /// <param name="stretch">Factor of llama3 scaling with Llama 3.1's other settings; null for none.</param>
    internal static RotaryEmbedding Of(float theta, int headDimension, float? stretch)
    {
        var frequencies = Unscaled(theta, headDimension);
        if (stretch is { } factor) StretchLongWaves(frequencies, factor, low: 1, high: 4, context: 8192);
        return new() { Frequencies = frequencies };
    }

    private static float[] Unscaled(float theta, int headDimension)
    {
        var frequencies = new float[headDimension / 2];
        for (var i = 0; i < frequencies.Length; i++)
            frequencies[i] = 1 / MathF.Pow(theta, 2f * i / headDimension);
        return frequencies;
    }

    private static void StretchLongWaves(float[] frequencies, float factor, float low, float high, float context)
    {
        for (var i = 0; i < frequencies.Length; i++)
        {
            var wavelength = 2 * MathF.PI / frequencies[i];
            var turns = context / wavelength;       // full turns within the original context
            if (turns > high) continue;
            var smooth = turns < low ? 0 : (turns - low) / (high - low);
            frequencies[i] = (1 - smooth) * frequencies[i] / factor + smooth * frequencies[i];
        }
    }
}
