using System.Text.Json.Serialization;

namespace Harness.Energy.Statistics;

/// <summary>Mean of repeats with the half width of its confidence interval: mean ± t·s/√n (Student 1908).</summary>
public sealed record ConfidenceInterval(
    [property: JsonPropertyName("mean")] double Mean,
    [property: JsonPropertyName("half_width")] double HalfWidth,
    [property: JsonPropertyName("repeats")] int Count)
{
    [JsonPropertyName("relative_half_width")]
    public double? RelativeHalfWidth => Mean != 0 ? HalfWidth / Math.Abs(Mean) : null;

    /// <summary>Null for fewer than two values, of which nothing can be said.</summary>
    public static ConfidenceInterval? Of(IReadOnlyCollection<double> values, double confidence = 0.95)
    {
        var n = values.Count;
        if (n < 2) return null;
        var mean = values.Average();
        var deviation = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (n - 1));
        return new ConfidenceInterval(mean, StudentT.TwoSidedQuantile(n - 1, confidence) * deviation / Math.Sqrt(n), n);
    }
}
