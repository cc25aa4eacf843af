namespace Harness.Runs.Records;

/// <summary>
/// What rows of <c>prompts.csv</c> say together: those of a whole run, or of a category, over all measured repeats. Tokens, words and
/// times are those of completed prompts.
/// </summary>
internal sealed class PooledPrompts
{
    private readonly List<PromptRecord> _completed;

    public PooledPrompts(IReadOnlyCollection<PromptRecord> rows)
    {
        _completed = [.. rows.Where(row => !FinishReason.IsFailure(row.FinishReason))];
        Failed = rows.Count - _completed.Count;
        Distinct = rows.Select(row => (row.Dataset, row.PromptIndex, row.Turn)).Distinct().Count();
        var judged = rows.Where(row => row.Correct != null).ToList();
        Correct = judged.Count(row => row.Correct == true);
        Accuracy = Ratio.Of(Correct, judged.Count);
        // Repeats of a prompt are no independent trials: under greedy decoding they are the same one again.
        AccuracyInterval = WilsonInterval.Of(Accuracy ?? 0, judged.Select(row => (row.Dataset, row.PromptIndex)).Distinct().Count());
    }

    /// <summary>Prompts of one repeat.</summary>
    public int Distinct { get; }
    public int Completed => _completed.Count;
    public int Failed { get; }
    public int Correct { get; }
    public double? Accuracy { get; }
    public (double Low, double High)? AccuracyInterval { get; }

    public long InputTokens => _completed.Sum(row => (long)row.InputTokens);

    /// <summary>Null where no row tells.</summary>
    public long? CachedTokens => _completed.Any(row => row.CachedTokens != null) ? _completed.Sum(row => row.CachedTokens ?? 0L) : null;
    public long OutputTokens => _completed.Sum(row => (long)row.OutputTokens);
    public long OutputWords => _completed.Sum(row => (long)row.OutputWords);

    public Distribution Ttft => Times(row => row.TtftSeconds);
    public Distribution Tpot => Times(row => row.TpotSeconds);
    public Distribution Latency => Times(row => row.LatencySeconds);

    /// <summary>Null where a completed prompt has none.</summary>
    public double? Sum(Func<PromptRecord, double?> joules) =>
        _completed.Count == 0 || _completed.Any(row => joules(row) == null) ? null : _completed.Sum(joules);

    private Distribution Times(Func<PromptRecord, double?> seconds) => Distribution.Of(_completed.Select(seconds).OfType<double>());
}
