using Harness.Common;

namespace Harness.Reports.Collecting;

/// <summary>
/// The runs below some directories, for a verb that reads many of them: what cannot be read is named with the reason, counted, and left
/// out, and the verb goes on with the rest.
/// </summary>
/// <param name="verb">Begins every line.</param>
/// <param name="log">Takes a line for each thing that is left out.</param>
public sealed class RunsBelow(string verb, TextWriter log)
{
    /// <summary>Shows how far the verb is.</summary>
    public IProgressReporter Progress { get; init; } = new NoProgress();

    private readonly HashSet<string> _said = new(StringComparer.Ordinal);

    /// <summary>Files, runs and directories that could not be read, each once.</summary>
    public int Unreadable => _said.Count;

    /// <summary>What is read of each run directory, in the order in which they are found; those that cannot be read are missing.</summary>
    /// <param name="read">Reads all that the verb wants of a run: what it leaves for later is not guarded here.</param>
    public IEnumerable<T> Read<T>(IEnumerable<string> directories, Func<string, T?> read) where T : class
    {
        var finder = new RunFinder(LeaveOut);
        foreach (var directory in Shown("reading", [.. directories.SelectMany(finder.Below)]))
            if (Try(() => read(directory)) is { } run) yield return run;
    }

    /// <summary>The same runs, counted for whoever waits.</summary>
    public IEnumerable<T> Shown<T>(string stage, IReadOnlyCollection<T> runs)
    {
        using var bar = Progress.Begin(stage, StageUnit.Runs, runs.Count);
        foreach (var (done, run) in runs.Index())
        {
            bar.Report(StageProgress.Of(done));
            yield return run;
        }
        bar.Report(StageProgress.Of(runs.Count));
    }

    /// <summary>A part of a run; null where it cannot be read.</summary>
    public T? Try<T>(Func<T?> read) where T : class
    {
        try
        {
            return read();
        }
        catch (UserErrorException e)
        {
            LeaveOut(e.Message);
            return null;
        }
    }

    /// <summary>Says what is wrong and counts it; the same again is neither said nor counted.</summary>
    public void LeaveOut(string what)
    {
        if (_said.Add(what)) Say(what);
    }

    /// <summary>A line of the verb.</summary>
    public void Say(string what) => log.WriteLine($"{verb}: {what}");
}
