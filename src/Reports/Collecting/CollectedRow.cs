using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Collecting;

/// <summary>A row of the merged table: texts as the run wrote them, by column, so that columns of other versions are kept too.</summary>
/// <param name="Objection">Why a run that says it is complete is not; its status here is <c>incomplete</c>.</param>
public sealed record CollectedRow(string RunId, string Directory, IReadOnlyDictionary<string, string> Columns, string? Objection = null)
{
    private const string RunIdColumn = "run_id";

    /// <summary>The rows of one run directory: those of its summary, or one of what is known while there is none.</summary>
    /// <exception cref="UserErrorException">A file of the run is damaged or may not be read.</exception>
    public static IReadOnlyList<CollectedRow> Of(string directory)
    {
        var run = new RunReader(directory);
        if (run.IsComplete) return Complete(directory);
        try
        {
            var row = Incomplete(run);
            // The run may have ended while its unfinished files were read.
            return run.IsComplete ? Complete(directory) : row == null ? [] : [row];
        }
        catch (UserErrorException) when (run.IsComplete)
        {
            return Complete(directory);
        }
    }

    /// <summary>As a record; a run of a version that wrote no status is taken for incomplete.</summary>
    /// <exception cref="UserErrorException">A value is not of its column's type; the run and the column are named.</exception>
    public SummaryRecord Typed() => CsvRows.Record<SummaryRecord>(
        new Dictionary<string, string>(Columns.Select(column => KeyValuePair.Create(column.Key, VisibleText.Of(column.Value))))
        {
            [RunIdColumn] = RunId,
            ["status"] = Columns.GetValueOrDefault("status") is { Length: > 0 } status ? status : RunStatus.Incomplete,
        },
        RunFile.Summary.In(Directory));

    /// <summary>With the values of some columns, whatever stood there.</summary>
    public CollectedRow With(IEnumerable<Column> columns, object record)
    {
        var texts = new Dictionary<string, string>(Columns);
        foreach (var column in columns) texts[column.Name] = Convert.ToString(column.Of(record), CultureInfo.InvariantCulture) ?? "";
        return this with { Columns = texts };
    }

    private static List<CollectedRow> Complete(string directory)
    {
        var path = RunFile.Summary.In(directory);
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var rows = new List<CollectedRow>();
            foreach (var columns in CsvRows.Texts(file, path))
            {
                var runId = columns.GetValueOrDefault(RunIdColumn) ?? throw new UserErrorException($"{path} has no column {RunIdColumn}");
                var row = new CollectedRow(runId, directory, columns);
                // No cell is kept that is not what its column says.
                if (row.Typed().BatchSize == null && columns.ContainsKey("batch_size")) columns["batch_size"] = "";
                var objection = Completeness.Objection(
                    columns.GetValueOrDefault("status"), Count("num_prompts"), Count("completed"), Count("failed"),
                        Completeness.RepeatsOf(new RunReader(directory)));
                if (objection != null) columns["status"] = RunStatus.Incomplete;
                rows.Add(row with { Objection = objection });

                int? Count(string name) =>
                    int.TryParse(columns.GetValueOrDefault(name), CultureInfo.InvariantCulture, out var count) ? count : null;
            }
            return rows.Count > 0 ? rows : throw new UserErrorException($"{path} has no row");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {path}: {e.Message}", e);
        }
    }

    /// <summary>The manifest's part of the row and the figures of the prompts that are done; null where this is no run after all.</summary>
    private static CollectedRow? Incomplete(RunReader run)
    {
        var known = run.HasManifest ? Manifest.RunOf(run.ReadManifest()) : null;
        var prompts = run.HasPrompts ? run.Prompts().ToList() : [];
        if (known == null && !run.HasPrompts) return null;
        var runId = known?.RunId ?? prompts.FirstOrDefault()?.RunId ?? Path.GetFileName(Path.GetFullPath(run.Directory));
        known = (known ?? new SummaryRecord
        {
            RunId = runId,
            Status = RunStatus.Incomplete,
            Dataset = prompts.FirstOrDefault()?.Dataset
        }) with
        { Status = RunStatus.Incomplete, Energy = new(), Valid = false, InvalidReasons = null };
        if (known.Goodput.Slo is { } bounds) Slo.Parse(bounds, $"{RunFile.Manifest.In(run.Directory)}: slo");
        var numPrompts = known.NumPrompts; // How many there would have been; those that are done say nothing of it.
        var summary = Summary.Compute(known, prompts, durationSeconds: null) with { NumPrompts = numPrompts };
        var columns = JsonSerializer.SerializeToElement(summary, JsonRows.Line).EnumerateObject()
            .ToDictionary(p => p.Name, p => Text(p.Value));
        return new CollectedRow(runId, run.Directory, columns);
    }

    private static string Text(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
}
