using System.Globalization;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Bench;

/// <summary>
/// Two runs of one command, cell by cell: what may differ follows from the table of columns (<see cref="Column.MayDiffer"/>); of
/// responses the run's name and the times between tokens.
/// </summary>
internal static class SameRuns
{
    /// <returns>One line for each cell that differs and may not; at most a dozen of a file.</returns>
    public static IReadOnlyList<string> Differences(string one, string other)
    {
        var (a, b) = (new RunReader(one), new RunReader(other));
        return
        [
            .. Differing(RunFile.Summary.Name, [a.Summary()], [b.Summary()]),
            .. Differing(RunFile.Prompts.Name, InOrder(a.Prompts()), InOrder(b.Prompts())),
            .. Differing(RunFile.Ranks.Name, [.. a.Ranks()], [.. b.Ranks()]),
            .. a.HasCategories || b.HasCategories
                ? Differing(RunFile.Categories.Name, [.. a.Categories()], [.. b.Categories()]) : [],
            .. Texts(RunFile.Responses.Name, Answers(a), Answers(b)),
        ];
    }

    /// <summary>What replicas finish at the same time is stored in either order.</summary>
    private static List<PromptRecord> InOrder(IEnumerable<PromptRecord> rows) =>
        [.. rows.OrderBy(row => row.Repeat).ThenBy(row => row.BatchIndex).ThenBy(row => row.PromptIndex)];

    private static List<string> Answers(RunReader run) => [.. run.Responses()
        .Select(answer => string.Create(CultureInfo.InvariantCulture, $"{answer.Repeat} {answer.PromptIndex} {answer.Id} ")
            + $"{answer.FinishReason} {string.Join(',', answer.OutputIds)} {answer.Text} {answer.Prompt}").Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Differing<T>(string file, IReadOnlyList<T> one, IReadOnlyList<T> other) where T : notnull
    {
        var columns = Column.Under(typeof(T)).Where(column => !column.MayDiffer).ToList();
        return Texts(file, Cells(one), Cells(other));

        List<string> Cells(IReadOnlyList<T> rows) => [.. rows.SelectMany((row, number) => columns.Select(column =>
            string.Create(CultureInfo.InvariantCulture, $"row {number + 1}, {column.Name} = {column.Of(row)}")))];
    }

    private static IEnumerable<string> Texts(string file, List<string> one, List<string> other)
    {
        const int shown = 12;
        if (one.Count != other.Count) return [$"{file}: {one.Count} cells or lines, and {other.Count}"];
        return one.Zip(other).Where(pair => pair.First != pair.Second).Take(shown).Select(pair => $"{file}: {pair.First} | {pair.Second}");
    }
}
