namespace Harness.Reports.Exporting;

/// <summary>What other people's tools read.</summary>
public interface IExportFormat
{
    /// <summary>As in <c>--format</c>.</summary>
    string Name { get; }

    /// <summary>The format says of itself which figures are to be believed; otherwise invalid runs are left out.</summary>
    bool HasValidity { get; }

    /// <summary>Whether it may stand on standard output.</summary>
    bool IsText => true;

    /// <summary>What the format says of one run: all that it reads of the run directory is read here.</summary>
    /// <exception cref="Common.UserErrorException">A file of the run is missing or damaged; it is named.</exception>
    object Of(ExportedRun run);

    /// <param name="entries">Of <see cref="Of"/>, one a run.</param>
    void Write(IReadOnlyList<object> entries, Stream output);
}
