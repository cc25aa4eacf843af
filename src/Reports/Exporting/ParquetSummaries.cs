using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>The rows of <c>summary.csv</c> with their types, for programs that read Parquet: pandas, DuckDB, Spark.</summary>
public sealed class ParquetSummaries : IExportFormat
{
    public string Name => "parquet";
    public bool HasValidity => true;
    public bool IsText => false;

    public object Of(ExportedRun run) => run.Summary;

    public void Write(IReadOnlyList<object> entries, Stream output)
    {
        var table = new ParquetTable(entries.Count);
        try
        {
            foreach (var column in ColumnMap<SummaryRecord>.Columns) table.Add(column, row => column.Of(entries[row]));
        }
        catch (FormatException e)
        {
            throw new UserErrorException($"a run's {e.Message}; correct its summary.csv", e);
        }
        table.Write(output);
    }
}
