namespace Harness.Runs.Records;

/// <summary>What of a row of <c>prompts.csv</c> decides whether the request was good, in seconds, and what it cost.</summary>
/// <param name="OutputTokens">Null where the row does not say.</param>
/// <param name="ItlP99Seconds">Null where there is no gap, or the row is of a version that did not write it.</param>
/// <param name="Joules">Attributed to it.</param>
public readonly record struct ServedRequest(bool Failed, int? OutputTokens, double? TtftSeconds, double? TpotSeconds,
    double? ItlP99Seconds, double? LatencySeconds, double? Joules)
{
    public static ServedRequest Of(PromptRecord row) => new(FinishReason.IsFailure(row.FinishReason), row.OutputTokens, row.TtftSeconds,
        row.TpotSeconds, row.ItlP99Seconds, row.LatencySeconds, row.EnergyJoules);
}
