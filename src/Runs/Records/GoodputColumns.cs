using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>
/// Requests that keep the bounds of an objective (<see cref="Records.Slo"/>), over all measured repeats, and what they cost.
/// </summary>
public sealed record GoodputColumns
{
    [Column("slo", "", "bounds on the times of a request, as `ttft=200ms,itl=50ms`, that the columns behind it are of: a request is good "
        + "that was completed and keeps each of them, as in vLLM's `bench serve --goodput`; `itl` bounds `itl_p99_s` of prompts.csv, the "
        + "others the columns of their names; empty without bounds", "`--slo`", Heading = "SLO")]
    public string? Slo { get; init; }

    [Column("good_requests", "", "that were completed and keep every bound", "rows of prompts.csv", Heading = "good requests",
        IsOfOneRun = true)]
    public int? Good { get; init; }

    [Column("goodput_per_s", "1/s", "good requests per second", "good_requests ÷ duration_s", Heading = "goodput (requests/s)")]
    public double? PerSecond { get; init; }

    [Column("good_share", "", "share of requests that are good; one that failed is none", "good_requests ÷ (completed + failed)",
        Heading = "good share", IsOfOneRun = true)]
    public double? Share { get; init; }

    [Column("energy_per_good_request_j", "J", "energy per good request: those that are not good cost, too, and so does what belongs to no "
        + "request; empty where none is good", "total_energy_j ÷ good_requests", Heading = "J/good request",
        Axis = "energy (J/good request)")]
    public double? PerGoodJoules { get; init; }

    [Column("good_energy_j", "J", "attributed to good requests; with the next column and unattributed_energy_j it is total_energy_j",
        "Σ energy_j of good rows of prompts.csv")]
    public double? GoodJoules { get; init; }

    [Column("not_good_energy_j", "J", "attributed to all other requests", "Σ energy_j of the other rows of prompts.csv")]
    public double? NotGoodJoules { get; init; }

    /// <summary>Bounds alone where a bounded time of a completed request is not known.</summary>
    /// <param name="requests">Of all measured repeats.</param>
    /// <param name="durationSeconds">Null where the measured repeats were not finished.</param>
    /// <param name="joules">Of the run; null: not measured.</param>
    public static GoodputColumns Of(Slo slo, IEnumerable<ServedRequest> requests, double? durationSeconds, double? joules)
    {
        var (all, good, areAttributed) = (0, 0, joules != null);
        var (ofGood, ofOthers) = (0.0, 0.0);
        foreach (var request in requests)
        {
            if (slo.IsMetBy(request) is not { } isGood) return new() { Slo = slo.ToString() };
            all++;
            if (isGood) good++;
            if (isGood) ofGood += request.Joules ?? 0;
            else ofOthers += request.Joules ?? 0;
            areAttributed &= request.Failed || request.Joules != null;
        }
        return new()
        {
            Slo = slo.ToString(),
            Good = good,
            PerSecond = Ratio.Of(good, durationSeconds),
            Share = Ratio.Of(good, all),
            PerGoodJoules = Ratio.Of(joules, good),
            GoodJoules = areAttributed ? ofGood : null,
            NotGoodJoules = areAttributed ? ofOthers : null,
        };
    }
}
