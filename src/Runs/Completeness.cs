using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Runs;

/// <summary>
/// Whether every prompt of every repeat has its row: what a run must hold before it calls itself complete, and what those who read it count
/// again. In a repeat of several passes every prompt that fits is answered equally often; one that does not fit has one row a repeat.
/// </summary>
public static class Completeness
{
    /// <summary>How many repeats a run's configuration asks for; null where its manifest does not say, or left it to the figures.</summary>
    public static int? RepeatsOf(RunReader run)
    {
        try { return run.HasManifest ? RepeatsOf(run.ReadManifest()) : null; }
        catch (UserErrorException) { return null; }
    }

    /// <inheritdoc cref="RepeatsOf(RunReader)"/>
    public static int? RepeatsOf(JsonObject manifest)
    {
        return string.IsNullOrEmpty(Manifest.Setting(manifest, "Repeats:UntilCi"))
            && int.TryParse(Manifest.Setting(manifest, "Repeats:Count"), CultureInfo.InvariantCulture, out var count) ? count : null;
    }

    /// <summary>What is missing or too much, a line each.</summary>
    /// <param name="prompts">Of one repeat.</param>
    /// <param name="repeats">Null where it is not known.</param>
    public static IEnumerable<string> Gaps(IEnumerable<PromptRecord> rows, int prompts, int? repeats)
    {
        var found = rows.GroupBy(row => row.Repeat).OrderBy(repeat => repeat.Key).ToList();
        var last = repeats ?? found.Select(repeat => repeat.Key).LastOrDefault();
        foreach (var missing in Enumerable.Range(1, last).Except(found.Select(repeat => repeat.Key)))
            yield return Line($"repeat {missing} of {last} has no answers");
        foreach (var repeat in found)
        {
            if (repeat.Key < 1 || repeat.Key > last)
                yield return Line($"there are answers of a repeat {repeat.Key}, and the run has {last}");
            var answers = repeat.GroupBy(row => (row.Dataset, row.PromptIndex, row.Turn)).ToList();
            if (answers.Count != prompts)
                yield return Line($"repeat {repeat.Key} has answers to {answers.Count} of {Figures.Count(prompts, "prompt")}");
            var often = answers.Where(prompt => prompt.First().FinishReason != FinishReason.ContextLength)
                .Select(prompt => prompt.Count()).ToList();
            if (often.Count > 0 && often.Min() != often.Max())
                yield return Line(
                    $"repeat {repeat.Key} has {Figures.Count(often.Min(), "answer")} to some prompts and {often.Max()} to others");
            if (answers.Any(prompt => prompt.Count() > 1 && prompt.Any(row => row.FinishReason == FinishReason.ContextLength)))
                yield return Line($"repeat {repeat.Key} has several rows of a prompt that does not fit");
        }
    }

    /// <summary>Of a run's summary, as <see cref="Objection(string?, int?, int?, int?, int?)"/>.</summary>
    public static string? Objection(SummaryRecord summary, RunReader run) =>
        Objection(summary.Status, summary.NumPrompts, summary.Completed, summary.Failed, RepeatsOf(run));

    /// <summary>
    /// Why the counts of a summary cannot be those of a complete run; null where they can be, are not known, or the run does not say so.
    /// </summary>
    /// <param name="prompts">Of one repeat.</param>
    /// <param name="repeats">Null where it is not known.</param>
    public static string? Objection(string? status, int? prompts, int? completed, int? failed, int? repeats)
    {
        if (status != RunStatus.Complete || prompts is not > 0 || completed is not >= 0 || failed is not >= 0) return null;
        // Of the prompts u do not fit: u·R rows failed, and (prompts − u)·P completed, with P passes in R repeats.
        for (var unfit = 0; unfit <= Math.Min(prompts.Value, failed.Value); unfit++)
            if (IsPossible(unfit, prompts.Value - unfit)) return null;
        var rounds = repeats is { } known ? Figures.Count(known, "repeat") : "its repeats";
        return $"says it is complete, but its {Figures.Count(completed + failed, "answer")} are not {Figures.Count(prompts, "prompt")} × "
            + rounds;

        bool IsPossible(int unfit, int fit)
        {
            if (fit == 0 ? completed > 0 : completed % fit != 0) return false;
            if (unfit == 0 ? failed > 0 : failed % unfit != 0) return false;
            var passes = fit == 0 ? (int?)null : completed / fit;
            var ofUnfit = unfit == 0 ? (int?)null : failed / unfit;
            if (passes == 0 || ofUnfit == 0 || passes < ofUnfit) return false;
            return repeats == null || ((passes ?? repeats) == repeats && (ofUnfit ?? repeats) == repeats);
        }
    }

    private static string Line(FormattableString line) => line.ToString(CultureInfo.InvariantCulture);
}
