namespace Harness.Runs.Records;

/// <summary>The figures of <c>summary.csv</c> from the rows of <c>prompts.csv</c>: a pure function, so that anyone can repeat it.</summary>
/// <remarks>
/// Tokens, words and times are those of completed prompts, over all measured repeats together. Definitions of 'From Words to
/// Watts' (arXiv 2310.03003): energy per token is total joules ÷ output tokens, energy per response total joules ÷ responses.
/// </remarks>
public static class Summary
{
    /// <param name="known">What the run knew from its start: the columns that describe it.</param>
    /// <param name="rows">Rows of all measured repeats.</param>
    /// <param name="durationSeconds">Sum over the measured repeats; null where they were not finished.</param>
    public static SummaryRecord Compute(
        SummaryRecord known, IReadOnlyCollection<PromptRecord> rows, double? durationSeconds, EnergyTotals energy)
    {
        var completed = rows.Where(r => !FinishReason.IsFailure(r.FinishReason)).ToList();
        var outputTokens = completed.Sum(r => (long)r.OutputTokens);
        var outputWords = completed.Sum(r => (long)r.OutputWords);
        var correct = rows.Count(r => r.Correct == true);
        var judged = rows.Where(r => r.Correct != null).ToList();
        // Repeats of a prompt are no independent trials: under greedy decoding they are the same one again.
        var interval = WilsonInterval.Of(judged.Count(r => r.Correct == true) / Math.Max(1.0, judged.Count), judged.Select(r => (r.Dataset, r.PromptIndex)).Distinct().Count());
        var ttft = Sample(completed, r => r.TtftSeconds);
        var tpot = Sample(completed, r => r.TpotSeconds);
        var latency = Sample(completed, r => r.LatencySeconds);
        return known with
        {
            NumPrompts = known.NumPrompts ?? rows.Select(r => (r.Dataset, r.PromptIndex)).Distinct().Count(),
            Completed = completed.Count,
            Failed = rows.Count - completed.Count,
            DurationSeconds = durationSeconds,
            TotalInputTokens = completed.Sum(r => (long)r.InputTokens),
            TotalOutputTokens = outputTokens,
            TotalOutputWords = outputWords,
            WordsPerSecond = Ratio(outputWords, durationSeconds),
            TokensPerSecond = Ratio(outputTokens, durationSeconds),
            ResponsesPerSecond = Ratio(completed.Count, durationSeconds),
            TtftMeanSeconds = ttft.Mean,
            TtftP50Seconds = ttft.Percentile(50),
            TtftP90Seconds = ttft.Percentile(90),
            TtftP99Seconds = ttft.Percentile(99),
            TpotMeanSeconds = tpot.Mean,
            TpotP50Seconds = tpot.Percentile(50),
            TpotP90Seconds = tpot.Percentile(90),
            TpotP99Seconds = tpot.Percentile(99),
            LatencyMeanSeconds = latency.Mean,
            LatencyP50Seconds = latency.Percentile(50),
            LatencyP90Seconds = latency.Percentile(90),
            LatencyP99Seconds = latency.Percentile(99),
            TotalEnergyJoules = energy.TotalJoules,
            NetEnergyJoules = energy.NetJoules,
            IdlePowerWatts = energy.IdleWatts,
            AvgPowerWatts = Ratio(energy.TotalJoules, durationSeconds),
            EnergyPerOutputTokenJoules = Ratio(energy.TotalJoules, outputTokens),
            EnergyPerResponseJoules = Ratio(energy.TotalJoules, completed.Count),
            PrefillEnergyJoules = energy.PrefillJoules,
            DecodeEnergyJoules = energy.DecodeJoules,
            UnattributedEnergyJoules = energy.UnattributedJoules,
            CounterVsPowerRatio = energy.CounterVsPowerRatio,
            Accuracy = Ratio(correct, judged.Count),
            AccuracyLow = interval?.Low,
            AccuracyHigh = interval?.High,
            EnergyPerCorrectJoules = Ratio(energy.TotalJoules, correct),
            EnergySource = energy.Source,
            Valid = energy.Valid,
            InvalidReasons = energy.InvalidReasons,
        };
    }

    private static Statistics Sample(IEnumerable<PromptRecord> rows, Func<PromptRecord, double?> value) =>
        new(rows.Select(value).OfType<double>());

    /// <summary>Null where either side is missing or nothing stands below the line.</summary>
    private static double? Ratio(double? above, double? below) => below > 0 ? above / below : null;
}
