using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>Runs below some directories in a format of someone else's.</summary>
public sealed class Export(IExportFormat format, Stream standardOutput)
{
    public static IReadOnlyList<IExportFormat> Formats { get; } =
        [new MlEnergyResult(), new MlEnergyLegacy(), new InferenceX(), new CodeCarbon(), new ParquetSummaries()];

    /// <inheritdoc cref="RunsBelow.Progress"/>
    public IProgressReporter Progress { get; init; } = new NoProgress();

    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static IExportFormat Find(string name) => Formats.FirstOrDefault(format => format.Name == name)
        ?? throw new UserErrorException(
            $"--format is '{name}', but one of {string.Join(", ", Formats.Select(format => format.Name))} is expected");

    /// <param name="output">The file to write, or <c>-</c> for standard output.</param>
    /// <param name="includeInvalid">Also runs whose energy is not valid, in formats that could not say so.</param>
    /// <param name="log">Takes a line for each run that is left out, and one that says what was exported.</param>
    /// <returns>0, or 1 where nothing was left to export.</returns>
    public int Run(IReadOnlyList<string> directories, string output, bool includeInvalid, TextWriter log)
    {
        var found = new RunsBelow("export", log) { Progress = Progress };
        var runs = new SortedDictionary<string, object>(StringComparer.Ordinal);
        foreach (var run in found.Read(directories, directory => Wanted(new(directory), includeInvalid, found, runs.ContainsKey)))
            runs.Add(run.RunId, run.Entry);
        if (runs.Count == 0)
        {
            found.Say($"no run is left to export below {string.Join(", ", directories)}; nothing is written");
            return 1;
        }
        object[] entries = [.. runs.Values];
        if (output == "-") format.Write(entries, standardOutput);
        else
        {
            StorageFailure.Guard(output, () => Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!));
            AtomicFile.Write(output, stream => format.Write(entries, stream));
        }
        found.Say($"{Figures.Count(runs.Count, "run")} as {format.Name} in {(output == "-" ? "standard output" : output)}"
            + (found.Unreadable > 0 ? $", {found.Unreadable} unreadable" : ""));
        return 0;
    }

    private sealed record Exported(string RunId, object Entry);

    /// <summary>A run with what the format says of it; null where it is left out, with a line that says why.</summary>
    private Exported? Wanted(ExportedRun run, bool includeInvalid, RunsBelow found, Func<string, bool> isKnown)
    {
        var why = !run.IsFinished ? "it is not finished"
            : run.Summary.Status == RunStatus.Skipped ? "nothing was measured"
            : run.Gap is { } gap ? $"it {gap}"
            : !format.HasValidity && !includeInvalid && !run.IsValid
                ? $"its energy is not valid ({run.Objection}); --include-invalid takes it all the same"
            : null;
        if (why != null) found.Say($"{run.Directory} is left out: {why}");
        else if (run.Summary.EnergyScope is { } scope and not "gpu" && !isKnown(run.Summary.RunId))
            found.Say($"{run.Directory}: its energy is of {scope}, not of GPUs alone");
        return why != null || isKnown(run.Summary.RunId) ? null : new(run.Summary.RunId, format.Of(run));
    }
}
