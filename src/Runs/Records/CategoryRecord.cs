using System.Text.Json.Serialization;

namespace Harness.Runs.Records;

/// <summary>
/// One row of <c>categories.csv</c>: the prompts of one category, over all measured repeats. Joules are those attributed to
/// the prompts; what belongs to no prompt is in no category.
/// </summary>
public sealed record CategoryRecord
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("category")] public required string Category { get; init; }

    /// <summary>In one repeat.</summary>
    [JsonPropertyName("num_prompts")] public int? NumPrompts { get; init; }
    [JsonPropertyName("completed")] public int? Completed { get; init; }
    [JsonPropertyName("failed")] public int? Failed { get; init; }
    [JsonPropertyName("total_input_tokens")] public long? TotalInputTokens { get; init; }
    [JsonPropertyName("total_output_tokens")] public long? TotalOutputTokens { get; init; }
    [JsonPropertyName("ttft_mean_s")] public double? TtftMeanSeconds { get; init; }
    [JsonPropertyName("ttft_p50_s")] public double? TtftP50Seconds { get; init; }
    [JsonPropertyName("ttft_p90_s")] public double? TtftP90Seconds { get; init; }
    [JsonPropertyName("ttft_p99_s")] public double? TtftP99Seconds { get; init; }
    [JsonPropertyName("tpot_mean_s")] public double? TpotMeanSeconds { get; init; }
    [JsonPropertyName("tpot_p50_s")] public double? TpotP50Seconds { get; init; }
    [JsonPropertyName("tpot_p90_s")] public double? TpotP90Seconds { get; init; }
    [JsonPropertyName("tpot_p99_s")] public double? TpotP99Seconds { get; init; }
    [JsonPropertyName("latency_mean_s")] public double? LatencyMeanSeconds { get; init; }
    [JsonPropertyName("latency_p50_s")] public double? LatencyP50Seconds { get; init; }
    [JsonPropertyName("latency_p90_s")] public double? LatencyP90Seconds { get; init; }
    [JsonPropertyName("latency_p99_s")] public double? LatencyP99Seconds { get; init; }
    [JsonPropertyName("energy_j")] public double? EnergyJoules { get; init; }
    [JsonPropertyName("net_energy_j")] public double? NetEnergyJoules { get; init; }
    [JsonPropertyName("energy_per_output_token_j")] public double? EnergyPerOutputTokenJoules { get; init; }
    [JsonPropertyName("energy_per_response_j")] public double? EnergyPerResponseJoules { get; init; }
    [JsonPropertyName("accuracy")] public double? Accuracy { get; init; }
    [JsonPropertyName("accuracy_low")] public double? AccuracyLow { get; init; }
    [JsonPropertyName("accuracy_high")] public double? AccuracyHigh { get; init; }
    [JsonPropertyName("energy_per_correct_j")] public double? EnergyPerCorrectJoules { get; init; }
    [JsonPropertyName("energy_source")] public string? EnergySource { get; init; }
    [JsonPropertyName("valid")] public bool Valid { get; init; }
    [JsonPropertyName("invalid_reasons")] public string? InvalidReasons { get; init; }

    /// <summary>By category, in the order in which they come first; empty where no prompt has one.</summary>
    /// <param name="run">The run's summary: its id, source and validity are every category's.</param>
    public static IReadOnlyList<CategoryRecord> Of(SummaryRecord run, IEnumerable<PromptRecord> rows) =>
        [.. rows.Where(row => row.Category != null).GroupBy(row => row.Category!).Select(category => Of(run, category.Key, [.. category]))];

    private static CategoryRecord Of(SummaryRecord run, string category, List<PromptRecord> rows)
    {
        var known = new SummaryRecord { RunId = run.RunId, Status = run.Status };
        var figures = Summary.Compute(known, rows, durationSeconds: null, new() { TotalJoules = Sum(rows, row => row.EnergyJoules), NetJoules = Sum(rows, row => row.NetEnergyJoules) });
        return new()
        {
            RunId = run.RunId,
            Category = category,
            NumPrompts = figures.NumPrompts,
            Completed = figures.Completed,
            Failed = figures.Failed,
            TotalInputTokens = figures.TotalInputTokens,
            TotalOutputTokens = figures.TotalOutputTokens,
            TtftMeanSeconds = figures.TtftMeanSeconds,
            TtftP50Seconds = figures.TtftP50Seconds,
            TtftP90Seconds = figures.TtftP90Seconds,
            TtftP99Seconds = figures.TtftP99Seconds,
            TpotMeanSeconds = figures.TpotMeanSeconds,
            TpotP50Seconds = figures.TpotP50Seconds,
            TpotP90Seconds = figures.TpotP90Seconds,
            TpotP99Seconds = figures.TpotP99Seconds,
            LatencyMeanSeconds = figures.LatencyMeanSeconds,
            LatencyP50Seconds = figures.LatencyP50Seconds,
            LatencyP90Seconds = figures.LatencyP90Seconds,
            LatencyP99Seconds = figures.LatencyP99Seconds,
            EnergyJoules = figures.TotalEnergyJoules,
            NetEnergyJoules = figures.NetEnergyJoules,
            EnergyPerOutputTokenJoules = figures.EnergyPerOutputTokenJoules,
            EnergyPerResponseJoules = figures.EnergyPerResponseJoules,
            Accuracy = figures.Accuracy,
            AccuracyLow = figures.AccuracyLow,
            AccuracyHigh = figures.AccuracyHigh,
            EnergyPerCorrectJoules = figures.EnergyPerCorrectJoules,
            EnergySource = run.EnergySource,
            Valid = run.Valid,
            InvalidReasons = run.InvalidReasons,
        };
    }

    /// <summary>Null where a completed prompt has none.</summary>
    private static double? Sum(List<PromptRecord> rows, Func<PromptRecord, double?> joules)
    {
        var completed = rows.Where(row => !FinishReason.IsFailure(row.FinishReason)).Select(joules).ToList();
        return completed.Count == 0 || completed.Any(one => one == null) ? null : completed.Sum();
    }
}
