using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Configuration;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Sweeping;

/// <summary>How far a cell has come.</summary>
internal enum CellState
{
    ToDo,

    /// <summary>Cut off, or still going on.</summary>
    Unfinished,

    /// <summary>Complete, but its energy is not to be believed, or it was not measured at all.</summary>
    Invalid,

    /// <summary>Complete, and valid or without a meter.</summary>
    Done,
}

/// <summary>One attempt at a cell: its run directory.</summary>
/// <param name="RunName">Output:Name that leads there.</param>
/// <param name="Summary">Null where the run has not ended.</param>
/// <param name="Why">What makes it invalid; null where nothing does.</param>
internal sealed record CellRun(string Directory, string RunName, CellState State, SummaryRecord? Summary, string? Why);

/// <summary>
/// The run directories of a cell: NAME, NAME-2 and so on. Runs of another configuration under such a name are not the
/// cell's; where NAME itself is one, the sweep would mix two studies, and ends.
/// </summary>
internal sealed class CellDirectories
{
    private const string NoMeter = "no_meter";

    private readonly SweepCell _cell;
    private readonly int _lastAttempt;

    /// <summary>In the order of the attempts.</summary>
    public IReadOnlyList<CellRun> Runs { get; }

    /// <summary>The attempt that came furthest, the latest of several; null where there is none.</summary>
    public CellRun? Best { get; }

    public CellState State => Best?.State ?? CellState.ToDo;

    private CellDirectories(SweepCell cell, IReadOnlyList<CellRun> runs, int lastAttempt)
    {
        (_cell, Runs, _lastAttempt) = (cell, runs, lastAttempt);
        Best = runs.OrderBy(run => run.State).LastOrDefault();
    }

    /// <exception cref="UserErrorException">The cell's name is taken by a run of another configuration.</exception>
    public static CellDirectories Look(SweepCell cell)
    {
        var output = cell.Options.Output.Directory;
        var pattern = new Regex($@"^({Regex.Escape(cell.RunName)}(?:-(\d+))*){Regex.Escape(cell.Suffix)}(?:-(\d+))*$",
            RegexOptions.CultureInvariant);
        var found = Directory.Exists(output)
            ? Directory.EnumerateDirectories(output, cell.RunName + "*")
            .Select(path => (Path: path, Match: pattern.Match(Path.GetFileName(path)))).Where(entry => entry.Match.Success)
            : [];
        var attempts = found.Select(entry => (entry.Path, Run: entry.Match.Groups[1].Value, Numbers: Numbers(entry.Match)))
            .OrderBy(attempt => attempt.Numbers, Comparer<int[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b))).ToList();
        var runs = attempts.Where(attempt => IsOf(cell, attempt.Path)).Select(attempt => Read(attempt.Path, attempt.Run)).ToList();
        return new(cell, runs, attempts.Select(attempt => attempt.Numbers.FirstOrDefault(1)).DefaultIfEmpty(0).Max());
    }

    /// <summary>Output:Name under which the cell goes on, or begins anew.</summary>
    public string NextRunName()
    {
        if (!_cell.Options.Output.Fresh && Runs.LastOrDefault(run => run.State == CellState.Unfinished) is { } unfinished)
            return unfinished.RunName;
        return _lastAttempt == 0 ? _cell.RunName : string.Create(CultureInfo.InvariantCulture, $"{_cell.RunName}-{_lastAttempt + 1}");
    }

    private static int[] Numbers(Match match) =>
        [.. from Group part in (Group[])[match.Groups[2], match.Groups[3]] from Capture number in part.Captures
            select int.TryParse(number.Value, CultureInfo.InvariantCulture, out var n) ? n : int.MaxValue - 1];

    private static CellRun Read(string directory, string runName)
    {
        var run = new RunReader(directory);
        if (!run.IsComplete) return new(directory, runName, CellState.Unfinished, null, null);
        try
        {
            var summary = run.Summary();
            if (Completeness.Objection(summary, run) is { } objection)
                return new(directory, runName, CellState.Invalid, summary, objection);
            return summary.Status switch
            {
                RunStatus.Complete when summary.Valid || summary.InvalidReasons == NoMeter =>
                    new(directory, runName, CellState.Done, summary, null),
                RunStatus.Complete =>
                    new(directory, runName, CellState.Invalid, summary, summary.InvalidReasons?.Replace(";", ", ") ?? "not checked"),
                RunStatus.Skipped => new(directory, runName, CellState.Invalid, summary, "the devices did not take the power setting"),
                _ => new(directory, runName, CellState.Unfinished, summary, null),
            };
        }
        catch (UserErrorException e)
        {
            return new(directory, runName, CellState.Invalid, null, e.Message);
        }
    }

    /// <summary>Whether the run that lies there was configured as the cell is; one that has not said so yet counts as it.</summary>
    private static bool IsOf(SweepCell cell, string directory)
    {
        if (Difference(cell, directory) is not { } difference) return true;
        return Path.GetFileName(directory) != cell.Name ? false : throw new UserErrorException(
            $"{directory} holds a run of another configuration: {difference}; give this sweep a directory (--out) or a name (--name) of "
                + "its own");
    }

    private static string? Difference(SweepCell cell, string directory)
    {
        var run = new RunReader(directory);
        JsonObject? there;
        try { there = run.HasManifest ? run.ReadManifest() : null; }
        catch (UserErrorException) { return null; }     // damaged: the run says so itself
        if (there == null) return null;
        foreach (var entry in cell.Configuration.Entries().Where(entry => entry.Setting.IsOfIdentity))
        {
            if (Manifest.Setting(there, entry.Key) is not { } other) continue;
            if (!string.Equals(entry.Value, other, StringComparison.OrdinalIgnoreCase))
                return $"{entry.Setting.Named} is '{other}' there and '{entry.Value}' here";
        }
        return null;
    }
}
