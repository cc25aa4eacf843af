using Harness.Energy.Accounting;
using Harness.Runs.Records;

namespace Harness.Runs.Accounting;

/// <summary>
/// The steady state of continuous batching by the definition of the ML.ENERGY benchmark (Chung et al., arXiv 2505.06371;
/// ml-energy/benchmark, mlenergy/llm/benchmark.py): of N requests and B slots, from the moment when B requests have got their
/// first token until N − B have. Before it the batch fills up, after it nobody waits for a slot any more, and the batch drains. Its
/// tokens are those that became known after its first moment and up to its last.
/// </summary>
/// <param name="Seconds">Of all repeats and their passes together.</param>
/// <param name="Joules">Null without energy, and where a part is shorter than the sensors resolve.</param>
public sealed record SteadyState(double Seconds, long Tokens, double? Joules)
{
    /// <summary>
    /// Of a whole run; null where there was none: a static schedule, too few requests, or requests that arrive by themselves or are turns of
    /// conversations, since then slots need not be full.
    /// </summary>
    /// <param name="run">Its concurrency over all replicas.</param>
    /// <param name="rows">Of the run; steps name them by their places.</param>
    public static SteadyState? Of(
        SummaryRecord run, RunAccount account, IReadOnlyList<PromptRecord> rows, Func<int, IEnumerable<Step>> stepsOf)
    {
        if (run is not
            {
                Concurrency: { } slots, RequestRatePerSecond: null, Arrivals: null, Turns: null,
                Ranks: { } ranks, TensorParallel: { } tensor, PipelineParallel: { } pipeline
            }) return null;
        var replicas = ranks / (tensor * pipeline);
        var found = new List<SteadyState>();
        foreach (var (piece, energy) in account.Pieces)
            foreach (var pass in stepsOf(piece).GroupBy(step => (step.Repeat, step.Pass)).OrderBy(pass => pass.Key))
            {
                var emitted = pass.GroupBy(step => step.Replica).Select(steps => Emitted.Of(steps, rows, slots / replicas)).ToList();
                if (emitted.Count < replicas || emitted.Any(one => one == null)) continue;
                var (start, end) = (emitted.Max(one => one!.StartSeconds), emitted.Min(one => one!.EndSeconds));
                if (end <= start) continue;
                found.Add(new(end - start, emitted.Sum(one => one!.TokensWithin(start, end)), energy.JoulesWithin(start, end)));
            }
        return found.Count == 0 ? null
            : new(found.Sum(one => one.Seconds), found.Sum(one => one.Tokens), RunAccount.Sum(found.Select(one => one.Joules)));
    }

    /// <summary>The summary with the steady state's columns.</summary>
    public static SummaryRecord Describe(SummaryRecord run, SteadyState? steady) => run with
    {
        Steady = steady == null ? new() : new()
        {
            DurationSeconds = steady.Seconds,
            OutputTokens = steady.Tokens,
            TokensPerSecond = steady.Tokens / steady.Seconds,
            Joules = steady.Joules,
            AverageWatts = steady.Joules / steady.Seconds,
            PerOutputToken = steady.Tokens > 0 ? steady.Joules / steady.Tokens : null,
        },
    };

    /// <summary>When one replica's tokens became known in one pass over its prompts, and its own steady state.</summary>
    private sealed record Emitted(List<double> TokenSeconds, double StartSeconds, double EndSeconds)
    {
        public long TokensWithin(double start, double end) => TokenSeconds.Count(seconds => seconds > start && seconds <= end);

        /// <returns>Null where the requests are too few.</returns>
        public static Emitted? Of(IEnumerable<Step> steps, IReadOnlyList<PromptRecord> rows, int slots)
        {
            var (tokens, firstTokens) = (new List<double>(), new List<double>());
            var cached = new Dictionary<int, int>();
            foreach (var step in steps.OrderBy(step => step.EndSeconds))
                foreach (var entry in step.Entries)
                {
                    if (entry.Phase == StepPhase.Decode) tokens.Add(step.EndSeconds);
                    else if (entry.Row is { } row && (cached[row] = cached.GetValueOrDefault(row) + entry.Tokens) == rows[row].InputTokens)
                    {
                        tokens.Add(step.EndSeconds);
                        firstTokens.Add(step.EndSeconds);
                    }
                }
            return firstTokens.Count > 2 * slots ? new(tokens, firstTokens[slots - 1], firstTokens[^(slots + 1)]) : null;
        }
    }
}
