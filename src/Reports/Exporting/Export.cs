using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>Runs below some directories in a format of someone else's.</summary>
public sealed class Export(IExportFormat format, Stream standardOutput)
{
    public static IReadOnlyList<IExportFormat> Formats { get; } = [new MlEnergyResult(), new MlEnergyLegacy(), new InferenceX(), new CodeCarbon()];

    /// <exception cref="UserErrorException">There is none of that name.</exception>
    public static IExportFormat Find(string name) => Formats.FirstOrDefault(format => format.Name == name)
        ?? throw new UserErrorException($"--format is '{name}', but one of {string.Join(", ", Formats.Select(format => format.Name))} is expected");

    /// <param name="output">The file to write, or <c>-</c> for standard output.</param>
    /// <param name="includeInvalid">Also runs whose energy is not valid, in formats that could not say so.</param>
    /// <param name="log">Takes a line for each run that is left out, and one that says what was exported.</param>
    /// <returns>0, or 1 where nothing was left to export.</returns>
    public int Run(IReadOnlyList<string> directories, string output, bool includeInvalid, TextWriter log)
    {
        var runs = new List<ExportedRun>();
        var finder = new RunFinder(problem => log.WriteLine($"export: {problem}"));
        foreach (var directory in directories.SelectMany(finder.Below))
        {
            var run = new ExportedRun(directory);
            try
            {
                if (!new RunReader(directory).IsComplete) log.WriteLine($"export: {directory} is left out: it is not finished");
                else if (run.Summary.Status == RunStatus.Skipped) log.WriteLine($"export: {directory} is left out: nothing was measured");
                else if (run.Gap is { } gap) log.WriteLine($"export: {directory} is left out: it {gap}");
                else if (!format.HasValidity && !includeInvalid && !run.IsValid) log.WriteLine($"export: {directory} is left out: its energy is not valid ({run.Objection}); --include-invalid takes it all the same");
                else runs.Add(run);
            }
            catch (UserErrorException e)
            {
                log.WriteLine($"export: {e.Message}");
            }
        }
        if (runs.Count == 0)
        {
            log.WriteLine($"export: no run is left to export below {string.Join(", ", directories)}; nothing is written");
            return 1;
        }
        runs = [.. runs.DistinctBy(run => run.Summary.RunId).OrderBy(run => run.Summary.RunId, StringComparer.Ordinal)];
        if (output == "-") format.Write(runs, standardOutput);
        else
        {
            StorageFailure.Guard(output, () => Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!));
            AtomicFile.Write(output, stream => format.Write(runs, stream));
        }
        log.WriteLine($"export: {runs.Count} run{(runs.Count == 1 ? "" : "s")} as {format.Name} in {(output == "-" ? "standard output" : output)}");
        return 0;
    }
}
