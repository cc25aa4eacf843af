namespace Harness.Runs.Records;

/// <summary>The figures of <c>summary.csv</c> from the rows of <c>prompts.csv</c>: a pure function, so that anyone can repeat it.</summary>
/// <remarks>
/// Definitions of 'From Words to Watts' (arXiv 2310.03003): energy per token is total joules ÷ output tokens, energy per response total
/// joules ÷ responses.
/// </remarks>
public static class Summary
{
    /// <param name="known">
    /// The columns that describe the run, and what it measured: its joules, where they come from, and whether they are valid; inter-token
    /// latencies, which rows do not tell; the bounds of goodput.
    /// </param>
    /// <param name="rows">Rows of all measured repeats.</param>
    /// <param name="durationSeconds">Sum over the measured repeats; null where they were not finished.</param>
    public static SummaryRecord Compute(SummaryRecord known, IReadOnlyCollection<PromptRecord> rows, double? durationSeconds)
    {
        var prompts = new PooledPrompts(rows);
        return known with
        {
            NumPrompts = known.NumPrompts ?? prompts.Distinct,
            Completed = prompts.Completed,
            Failed = prompts.Failed,
            DurationSeconds = durationSeconds,
            TotalInputTokens = prompts.InputTokens,
            CachedInputTokens = prompts.CachedTokens,
            TotalOutputTokens = prompts.OutputTokens,
            TotalOutputWords = prompts.OutputWords,
            WordsPerSecond = Ratio.Of(prompts.OutputWords, durationSeconds),
            TokensPerSecond = Ratio.Of(prompts.OutputTokens, durationSeconds),
            ResponsesPerSecond = Ratio.Of(prompts.Completed, durationSeconds),
            Ttft = prompts.Ttft,
            Tpot = prompts.Tpot,
            Latency = prompts.Latency,
            Energy = known.Energy.Per(durationSeconds, prompts.OutputTokens, prompts.Completed),
            Accuracy = prompts.Accuracy,
            AccuracyLow = prompts.AccuracyInterval?.Low,
            AccuracyHigh = prompts.AccuracyInterval?.High,
            EnergyPerCorrectJoules = Ratio.Of(known.Energy.Total, prompts.Correct),
            Goodput = known.Goodput.Slo is not { } bounds ? new()
                : GoodputColumns.Of(Slo.Parse(bounds, "column slo"), rows.Select(ServedRequest.Of), durationSeconds, known.Energy.Total),
        };
    }
}
