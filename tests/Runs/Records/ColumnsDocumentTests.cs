using Harness.Common;
using Harness.Energy.Records;
using Harness.Reports.Collecting;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

/// <summary>docs/columns.md against the columns that the program declares.</summary>
[TestFixture]
public sealed class ColumnsDocumentTests
{
    private static readonly (string File, string Holds, IReadOnlyList<ColumnInfo> Columns)[] s_files =
    [
        ("summary.csv", "One row: the run.", ColumnMap<SummaryRecord>.Columns),
        ("prompts.csv", "A row per prompt and measured repeat.", ColumnMap<PromptRecord>.Columns),
        ("categories.csv", "A row per category of prompts, over all measured repeats; joules are attributed ones.",
            ColumnMap<CategoryRecord>.Columns),
        ("ranks.csv", "A row per rank and window.", ColumnMap<RankRecord>.Columns),
        ("power.csv", "A row per reading of a device.", PowerRecords.Columns),
        ("phases.csv", "A row per stretch of a rank's time, rank after rank.", ColumnMap<PhaseRow>.Columns),
        ("collect --slurm", "Behind the columns of summary.csv and `run_directory`, of what `harness collect` writes.",
            ColumnMap<SlurmColumns>.Columns),
    ];

    [Test]
    public void TheDocumentHasEveryColumn() =>
        WrittenDocument.MustHold(Path.Combine(SharedData.RepositoryRoot, "docs", "columns.md"), "columns", Document());

    /// <summary>Every column of every file is explained, and no two of a file have one name.</summary>
    [Test]
    public void EveryColumnSaysWhatItIs()
    {
        foreach (var (file, _, columns) in s_files)
        {
            Assert.That(columns.Select(column => column.Name), Is.Unique, file);
            Assert.That(columns.Where(column => column.Meaning.Length == 0).Select(column => column.Name), Is.Empty, file);
            Assert.That(columns.Select(column => column.Meaning + column.Source), Has.None.Contains("{0}").And.None.Contains("|"), file);
        }
    }

    /// <summary>Names say their units: what ends in _s is in seconds, in _j joules, in _w watts.</summary>
    [TestCase("_s", "s", "tokens/s", "words/s", "1/s")]
    [TestCase("_j", "J", "J/token", "J/response")]
    [TestCase("_w", "W")]
    [TestCase("_mhz", "MHz")]
    [TestCase("_bytes", "bytes")]
    public void NamesAndUnitsAgree(string end, params string[] units)
    {
        foreach (var (file, _, columns) in s_files)
            Assert.That(columns.Where(column => column.Name.EndsWith(end, StringComparison.Ordinal)).Select(column => column.Unit)
                .Distinct(),
                Is.SubsetOf(units), file);
    }

    private static string Document() => string.Concat(s_files.Select(file =>
        $"\n## {file.File}\n{file.Holds}\n\n| column | unit | meaning | from |\n|---|---|---|---|\n"
        + string.Concat(file.Columns.Select(column => $"| `{column.Name}` | {column.Unit} | {column.Meaning} | {column.Source} |\n"))));
}
