using System.Text.Json.Serialization;
using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>
/// One row of <c>categories.csv</c>: the prompts of one category, over all measured repeats. Joules are those attributed to
/// the prompts; what belongs to no prompt is in no category.
/// </summary>
[JsonConverter(typeof(ColumnsAsJson<CategoryRecord>))]
public sealed record CategoryRecord
{
    [SameColumn(typeof(SummaryRecord), "run_id")] public required string RunId { get; init; }
    [Column("category", "", "the data set's own")] public required string Category { get; init; }

    /// <summary>In one repeat.</summary>
    [SameColumn(typeof(SummaryRecord), "num_prompts")] public int? NumPrompts { get; init; }
    [SameColumn(typeof(SummaryRecord), "completed")] public int? Completed { get; init; }
    [SameColumn(typeof(SummaryRecord), "failed")] public int? Failed { get; init; }
    [SameColumn(typeof(SummaryRecord), "total_input_tokens")] public long? TotalInputTokens { get; init; }
    [SameColumn(typeof(SummaryRecord), "total_output_tokens")] public long? TotalOutputTokens { get; init; }

    [Columns("ttft", PromptTimes.Ttft, "TTFT", Source = PromptTimes.OfTtft)] public Distribution Ttft { get; init; } = new();
    [Columns("tpot", PromptTimes.Tpot, "TPOT", Source = PromptTimes.OfTpot)] public Distribution Tpot { get; init; } = new();
    [Columns("latency", PromptTimes.Latency, "latency", Source = PromptTimes.OfLatency)] public Distribution Latency { get; init; } = new();

    [Column("energy_j", "J", "attributed to the prompts", "Σ energy_j of prompts.csv", Heading = "energy (J)")]
    public double? EnergyJoules { get; init; }

    [Column("net_energy_j", "J", "attributed to the prompts, without the idle baseline", "Σ net_energy_j of prompts.csv")]
    public double? NetEnergyJoules { get; init; }

    [Column("energy_per_output_token_j", "J/token", "attributed energy per output token", "energy_j ÷ total_output_tokens",
        Heading = "J/token")]
    public double? EnergyPerOutputTokenJoules { get; init; }

    [Column("energy_per_response_j", "J/response", "attributed energy per response", "energy_j ÷ completed", Heading = "J/response")]
    public double? EnergyPerResponseJoules { get; init; }

    [SameColumn(typeof(SummaryRecord), "accuracy")] public double? Accuracy { get; init; }
    [SameColumn(typeof(SummaryRecord), "accuracy_low")] public double? AccuracyLow { get; init; }
    [SameColumn(typeof(SummaryRecord), "accuracy_high")] public double? AccuracyHigh { get; init; }

    [Column("energy_per_correct_j", "J", "attributed energy per correct answer", "energy_j ÷ correct answers", Heading = "J/correct")]
    public double? EnergyPerCorrectJoules { get; init; }

    [SameColumn(typeof(SummaryRecord), "energy_source")] public string? EnergySource { get; init; }
    [SameColumn(typeof(SummaryRecord), "valid")] public bool Valid { get; init; }
    [SameColumn(typeof(SummaryRecord), "invalid_reasons")] public string? InvalidReasons { get; init; }

    /// <summary>By category, in the order in which they come first; empty where no prompt has one.</summary>
    /// <param name="run">The run's summary: its id, source and validity are every category's.</param>
    public static IReadOnlyList<CategoryRecord> Of(SummaryRecord run, IEnumerable<PromptRecord> rows) =>
        [.. rows.Where(row => row.Category != null).GroupBy(row => row.Category!).Select(category => Of(run, category.Key, [.. category]))];

    private static CategoryRecord Of(SummaryRecord run, string category, List<PromptRecord> rows)
    {
        var prompts = new PooledPrompts(rows);
        var joules = prompts.Sum(row => row.EnergyJoules);
        return new()
        {
            RunId = run.RunId,
            Category = category,
            NumPrompts = prompts.Distinct,
            Completed = prompts.Completed,
            Failed = prompts.Failed,
            TotalInputTokens = prompts.InputTokens,
            TotalOutputTokens = prompts.OutputTokens,
            Ttft = prompts.Ttft,
            Tpot = prompts.Tpot,
            Latency = prompts.Latency,
            EnergyJoules = joules,
            NetEnergyJoules = prompts.Sum(row => row.NetEnergyJoules),
            EnergyPerOutputTokenJoules = Ratio.Of(joules, prompts.OutputTokens),
            EnergyPerResponseJoules = Ratio.Of(joules, prompts.Completed),
            Accuracy = prompts.Accuracy,
            AccuracyLow = prompts.AccuracyInterval?.Low,
            AccuracyHigh = prompts.AccuracyInterval?.High,
            EnergyPerCorrectJoules = Ratio.Of(joules, prompts.Correct),
            EnergySource = run.EnergySource,
            Valid = run.Valid,
            InvalidReasons = run.InvalidReasons,
        };
    }
}
