using System.Globalization;
using CsvHelper;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Collecting;

/// <summary>
/// Merges the summaries of all runs below some directories into one CSV: the columns of <c>summary.csv</c>, then
/// <c>run_directory</c>, then columns that only other versions wrote. A run without a summary is a row of status
/// <c>incomplete</c>; an invalid one stays, marked as it marked itself. A run that is found twice is one row.
/// </summary>
/// <param name="accounting">Asked for Slurm's joules of the runs' jobs, which are then columns behind <c>run_directory</c>; null: not
/// asked.</param>
public sealed class Collect(TextWriter standardOutput, SlurmAccounting? accounting = null)
{
    private const string DirectoryColumn = "run_directory";

    /// <summary>Bounds that goodput of all runs is to be of; without any each keeps what it wrote itself.</summary>
    public Slo Slo { get; init; } = Slo.None;

    /// <inheritdoc cref="RunsBelow.Progress"/>
    public IProgressReporter Progress { get; init; } = new NoProgress();

    /// <summary>What the table is written in: CSV, unless another is named.</summary>
    public TableForm Form { get; init; } = TableForm.Csv;

    /// <param name="output">The file to write, or <c>-</c> for standard output. It may lie below the directories.</param>
    /// <param name="log">Takes a line for each run that cannot be read, and one that says what was collected.</param>
    /// <returns>0, or 1 where a run or a directory could not be read; the others are collected all the same.</returns>
    /// <exception cref="UserErrorException">The output cannot be written.</exception>
    public int Run(IReadOnlyList<string> directories, string output, TextWriter log)
    {
        if (Path.GetFileName(output) == RunFile.Summary.Name)
            throw new UserErrorException($"{output} would be taken for a run's own summary; choose another name for --out");
        var runs = new RunsBelow("collect", log) { Progress = Progress };
        var rows = new Dictionary<(string RunId, int Row), CollectedRow>();
        foreach (var found in runs.Read(directories, CollectedRow.Of))
        {
            foreach (var row in found)
                if (row.Objection is { } objection) runs.LeaveOut($"{row.Directory} {objection}; it is marked {RunStatus.Incomplete}");
            Merge(rows, found);
        }
        if (rows.Count == 0)
        {
            runs.Say($"no run found below {string.Join(", ", directories)}; nothing is written");
            return 1;
        }
        var sorted = rows.OrderBy(r => r.Key.RunId, StringComparer.Ordinal).ThenBy(r => r.Key.Row).Select(r => r.Value).ToList();
        if (!Slo.IsNone) Judge(sorted, runs);
        var isAnswered = AskSlurm(sorted, runs);
        Write(sorted, output);
        var newer = sorted.Select(SchemaOf).Where(version => version > SummaryRecord.CurrentSchema).ToList();
        if (newer.Count > 0)
            runs.Say($"{Figures.Count(newer.Count, "run")} {(newer.Count == 1 ? "was" : "were")} written by a newer version "
                + $"(schema_version {newer.Max()}, this program writes {SummaryRecord.CurrentSchema}); "
                + "columns that only it knows stand behind ours");
        if (EnergyScopesFound.Warning(sorted.Select(row => row.Typed())) is { } warning) runs.Say(warning);
        runs.Say(Describe(sorted, runs.Unreadable, output));
        return runs.Unreadable > 0 || !isAnswered ? 1 : 0;
    }

    /// <summary>Goodput of every run under the bounds that were given.</summary>
    private void Judge(List<CollectedRow> rows, RunsBelow runs)
    {
        var goodput = new GoodputOfRuns(Slo, runs);
        foreach (var row in runs.Shown("goodput", [.. Enumerable.Range(0, rows.Count)]))
        {
            var run = rows[row].Typed();
            rows[row] = rows[row].With(ColumnMap<GoodputColumns>.Columns, goodput.Of(run, rows[row].Directory));
        }
        goodput.SayWhatIsMissing();
    }

    /// <summary>Slurm's joules beside those of each row; where it does not answer, the rest is collected all the same.</summary>
    private bool AskSlurm(List<CollectedRow> rows, RunsBelow runs)
    {
        if (accounting == null) return true;
        IReadOnlyList<SlurmColumns> columns = [.. rows.Select(_ => new SlurmColumns())];
        var isAnswered = true;
        try
        {
            columns = accounting.Of(rows, runs.Say);
            runs.Say($"Slurm has joules of {Figures.Count(columns.Count(one => one.EnergyJoules != null))} of "
                + Figures.Count(rows.Count, "run"));
        }
        catch (UserErrorException e)
        {
            runs.Say(e.Message);
            isAnswered = false;
        }
        for (var row = 0; row < rows.Count; row++)
        {
            rows[row] = rows[row].With(ColumnMap<SlurmColumns>.Columns, columns[row]);
        }
        return isAnswered;
    }

    private static int SchemaOf(CollectedRow row) =>
        int.TryParse(row.Columns.GetValueOrDefault("schema_version"), CultureInfo.InvariantCulture, out var version) ? version : 0;

    /// <summary>Of two copies of a run the complete one counts, then the one whose path sorts first.</summary>
    private static void Merge(Dictionary<(string, int), CollectedRow> rows, IReadOnlyList<CollectedRow> found)
    {
        foreach (var group in found.GroupBy(r => r.RunId))
            foreach (var (number, row) in group.Index())
                if (!rows.TryGetValue((row.RunId, number), out var other) || Order(row).CompareTo(Order(other)) < 0)
                    rows[(row.RunId, number)] = row;

        static (bool, OrdinalText) Order(CollectedRow row) => (IsIncomplete(row), new OrdinalText(row.Directory));
    }

    private readonly record struct OrdinalText(string Text) : IComparable<OrdinalText>
    {
        public int CompareTo(OrdinalText other) => string.CompareOrdinal(Text, other.Text);
    }

    private static bool IsIncomplete(CollectedRow row) => row.Columns.GetValueOrDefault("status") == RunStatus.Incomplete;

    private void Write(List<CollectedRow> rows, string output)
    {
        if (output == "-")
        {
            Write(rows, standardOutput);
            return;
        }
        StorageFailure.Guard(output, () => Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!));
        if (Form == TableForm.Parquet)
        {
            var table = Table(rows);
            AtomicFile.Write(output, table.Write);
            return;
        }
        AtomicFile.Write(output, stream =>
        {
            using var writer = new StreamWriter(stream, leaveOpen: true);
            Write(rows, writer);
        });
    }

    private void Write(List<CollectedRow> rows, TextWriter writer)
    {
        var columns = ColumnsOf(rows);
        using var csv = CsvWriter.Create(writer, CsvDialect.Writing, leaveOpen: true);
        csv.WriteHeader([.. columns.Select(CsvDialect.Cell)]);
        foreach (var row in rows)
            csv.WriteRecord([.. columns.Select(column =>
                column == DirectoryColumn ? PathText(row.Directory) : Cell(row.Columns.GetValueOrDefault(column)))]);
    }

    /// <summary>The same columns with their types; those of other versions are texts.</summary>
    private ParquetTable Table(List<CollectedRow> rows)
    {
        var table = new ParquetTable(rows.Count);
        foreach (var name in ColumnsOf(rows))
        {
            if (name == DirectoryColumn) table.AddText(name, row => rows[row].Directory);
            else if ((ColumnMap<SummaryRecord>.Find(name) ?? ColumnMap<SlurmColumns>.Find(name)) is { } column)
                table.Add(column, row => Value(column, rows[row]));
            else table.AddText(name, row => Cell(rows[row].Columns.GetValueOrDefault(name)));
        }
        return table;

        static object? Value(Column column, CollectedRow row)
        {
            try
            {
                return row.Columns.GetValueOrDefault(column.Name) is { Length: > 0 } text
                    ? column.Type == typeof(string) ? Cell(text) : column.Parse(text) : null;
            }
            catch (FormatException e)
            {
                throw new UserErrorException($"{RunFile.Summary.In(row.Directory)}: {e.Message}", e);
            }
        }
    }

    private List<string> ColumnsOf(List<CollectedRow> rows)
    {
        var own = ColumnMap<SummaryRecord>.Names.Append(DirectoryColumn)
            .Concat(accounting == null ? [] : ColumnMap<SlurmColumns>.Names).ToList();
        return [.. own, .. rows.SelectMany(r => r.Columns.Keys).Distinct().Except(own).Order(StringComparer.Ordinal)];
    }

    /// <summary>A number may be negative; a text that begins like a formula is none.</summary>
    private static string? Cell(string? cell) =>
        cell == null || double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? cell : CsvDialect.Cell(cell);

    /// <summary>The same path, where its own words would be computed by a spreadsheet.</summary>
    private static string PathText(string path) => CsvDialect.Cell(path) == path ? path : CsvDialect.Cell($"./{path}");

    private static string Describe(List<CollectedRow> rows, int failures, string output)
    {
        var incomplete = rows.Count(IsIncomplete);
        var invalid = rows.Count(r => r.Columns.GetValueOrDefault("valid") != "true");
        return $"{Figures.Count(rows.Count, "run")} in {(output == "-" ? "standard output" : output)}, {incomplete} incomplete, "
            + $"{invalid} without valid energy, {failures} unreadable";
    }
}
