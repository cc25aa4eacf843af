using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>
/// A time that every prompt has, or that lies between its tokens, over the completed prompts of all measured repeats, in seconds.
/// Percentiles are interpolated linearly between order statistics (<see cref="Statistics"/>).
/// </summary>
public sealed record Distribution
{
    [Column("{0}_mean_s", "s", "mean of the {0}")] public double? Mean { get; init; }
    [Column("{0}_p50_s", "s", "median of the {0}", Heading = "{0} p50 (s)", Axis = "median {0} (s)")] public double? P50 { get; init; }
    [Column("{0}_p90_s", "s", "90th percentile of the {0}", Heading = "{0} p90 (s)")] public double? P90 { get; init; }
    [Column("{0}_p95_s", "s", "95th percentile of the {0}", Heading = "{0} p95 (s)", Extension = 10)] public double? P95 { get; init; }
    [Column("{0}_p99_s", "s", "99th percentile of the {0}", Heading = "{0} p99 (s)")] public double? P99 { get; init; }

    /// <summary>Its columns' ends, for tables that have a row for each time.</summary>
    public IReadOnlyList<(string Name, double? Seconds)> Figures =>
        [("mean", Mean), ("p50", P50), ("p90", P90), ("p95", P95), ("p99", P99)];

    public static Distribution Of(IEnumerable<double> sample)
    {
        var sorted = new Statistics(sample);
        return new()
        {
            Mean = sorted.Mean,
            P50 = sorted.Percentile(50),
            P90 = sorted.Percentile(90),
            P95 = sorted.Percentile(95),
            P99 = sorted.Percentile(99),
        };
    }
}

/// <summary>The times of which a <see cref="Distribution"/> is shown, as people call them, and where their values stand.</summary>
public static class PromptTimes
{
    public const string Ttft = "time to first token", Tpot = "time per output token", Itl = "inter-token latency",
        Latency = "latency, end to end";

    public const string OfTtft = "`ttft_s` of prompts.csv", OfTpot = "`tpot_s` of prompts.csv", OfLatency = "`latency_s` of prompts.csv",
        OfItl = "the gaps between a sequence's tokens (`itl_s` of responses.jsonl), those of all sequences together: `itl` of vLLM's "
            + "`bench serve` and of ML.ENERGY's benchmark";
}
