using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>
/// The columns of the first ML.ENERGY leaderboard, by model: throughput in tokens/s, response length in tokens, latency in
/// seconds and energy in joules of a mean response, parameters in billions (LEADERBOARD.md of github.com/ml-energy/benchmark).
/// </summary>
public sealed class MlEnergyLegacy : IExportFormat
{
    public string Name => "ml-energy-legacy";
    public bool HasValidity => false;

    public void Write(IReadOnlyList<object> entries, Stream output) => CsvRows.WriteTable(output, entries.Cast<Row>());

    public object Of(ExportedRun run)
    {
        var s = run.Summary;
        // A template is a form, and no task.
        var task = s.Task == SummaryRecord.TemplateTask ? $"{s.Dataset}-{s.Task}" : s.Task ?? s.Dataset;
        return new Row(s.Model, s.Gpu, task, s.TokensPerSecond,
            s.Completed > 0 ? (double?)s.TotalOutputTokens / s.Completed : null,
            s.Latency.Mean, s.Energy.PerResponse, s.ParametersBillions);
    }

    internal sealed record Row(
        [property: JsonPropertyName("model")] string? Model,
        [property: JsonPropertyName("gpu")] string? Gpu,
        [property: JsonPropertyName("task")] string? Task,
        [property: JsonPropertyName("throughput")] double? Throughput,
        [property: JsonPropertyName("response_length")] double? ResponseLength,
        [property: JsonPropertyName("latency")] double? Latency,
        [property: JsonPropertyName("energy")] double? Energy,
        [property: JsonPropertyName("parameters")] double? Parameters);
}
