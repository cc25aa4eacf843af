using System.Text.RegularExpressions;
using Harness.Runs;

namespace Harness.Tests.Runs;

/// <summary>The table of files, in the documents that people read.</summary>
internal sealed class RunFileTests
{
    /// <summary>The row of a file in a run's directory, a piece's or a start's; null where none has such a name.</summary>
    internal static RunFile? RowOf(string path) => RunFile.All.FirstOrDefault(row =>
        Regex.IsMatch(Path.GetFileName(path), $"^{Regex.Escape(row.Name).Replace("NNN", "[0-9]{3}").Replace("rankN", "rank[0-9]+")}$"));

    [Test]
    public void TheReadmeNamesWhatStays() => WrittenDocument.MustHold(Path.Combine(SharedData.RepositoryRoot, "README.md"), "files",
        "| file | holds |\n|---|---|\n"
            + string.Concat(RunFile.All.Where(row => row.Stays).Select(row => $"| `{row.Name}` | {row.Holds} |\n")));

    [Test]
    public void TheDocumentNamesEveryFile() =>
        WrittenDocument.MustHold(Path.Combine(SharedData.RepositoryRoot, "docs", "run-directory.md"), "files",
        "| file | of a | holds | written by | when | stays |\n|---|---|---|---|---|---|\n" + string.Concat(RunFile.All.Select(row =>
            $"| `{row.Name}` | {row.Place.ToString().ToLowerInvariant()} | {row.Holds} | {row.Writer} | {row.When} | "
                + $"{(row.Stays ? "yes" : "no")} |\n")));

    [Test]
    public void NamesAreDifferent() => Assert.That(RunFile.All.Select(row => row.Name), Is.Unique);
}
