using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>
/// A time that every prompt has, over the completed prompts of all measured repeats, in seconds. Percentiles are interpolated linearly
/// between order statistics (<see cref="Statistics"/>).
/// </summary>
public sealed record Distribution
{
    [Column("{0}_mean_s", "s", "mean of the {0}")] public double? Mean { get; init; }
    [Column("{0}_p50_s", "s", "median of the {0}", Heading = "{0} p50 (s)", Axis = "median {0} (s)")] public double? P50 { get; init; }
    [Column("{0}_p90_s", "s", "90th percentile of the {0}", Heading = "{0} p90 (s)")] public double? P90 { get; init; }
    [Column("{0}_p99_s", "s", "99th percentile of the {0}", Heading = "{0} p99 (s)")] public double? P99 { get; init; }

    /// <summary>Its columns' ends, in the same order, for tables that have a row for each time.</summary>
    public IReadOnlyList<(string Name, double? Seconds)> Figures => [("mean", Mean), ("p50", P50), ("p90", P90), ("p99", P99)];

    public static Distribution Of(IEnumerable<double> sample)
    {
        var sorted = new Statistics(sample);
        return new() { Mean = sorted.Mean, P50 = sorted.Percentile(50), P90 = sorted.Percentile(90), P99 = sorted.Percentile(99) };
    }
}

/// <summary>The times of which a <see cref="Distribution"/> is shown, as people call them.</summary>
public static class PromptTimes
{
    public const string Ttft = "time to first token", Tpot = "time per output token", Latency = "latency, end to end";
}
