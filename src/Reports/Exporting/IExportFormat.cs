namespace Harness.Reports.Exporting;

/// <summary>What other people's tools read.</summary>
public interface IExportFormat
{
    /// <summary>As in <c>--format</c>.</summary>
    string Name { get; }

    /// <summary>The format says of itself which figures are to be believed; otherwise invalid runs are left out.</summary>
    bool HasValidity { get; }

    void Write(IReadOnlyList<ExportedRun> runs, Stream output);
}
