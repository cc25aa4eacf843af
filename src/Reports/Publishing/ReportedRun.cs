using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>A run as the report shows it.</summary>
/// <param name="Label">Short, and unlike that of every other run in the report.</param>
internal sealed record ReportedRun(string Label, string Directory, SummaryRecord Summary)
{
    /// <summary>
    /// Devices that a replica's weights are spread over: tensor × pipeline degree, the 'shards' of 'From Words to Watts'.
    /// </summary>
    public int? Shards => Summary.TensorParallel * Summary.PipelineParallel;

    public int? Replicas => Shards > 0 ? Summary.Ranks / Shards : null;

    public IReadOnlyList<string> Reasons => Summary.InvalidReasons?.Split(';', StringSplitOptions.RemoveEmptyEntries) ?? [];
}
