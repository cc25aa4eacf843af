using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>The runs of a report, each once, in order of their names.</summary>
internal static class RunSet
{
    /// <param name="unreadable">Takes a line for each directory or run that cannot be read; the others are reported all the same.</param>
    public static IReadOnlyList<ReportedRun> Load(IEnumerable<string> directories, Action<string> unreadable)
    {
        var runs = new Dictionary<string, (SummaryRecord Summary, string Directory)>(StringComparer.Ordinal);
        var finder = new RunFinder(unreadable);
        foreach (var directory in directories.SelectMany(finder.Below))
        {
            try
            {
                foreach (var row in CollectedRow.Of(directory))
                {
                    if (row.Objection is { } objection) unreadable($"{row.Directory} {objection}");
                    if (!runs.TryGetValue(row.RunId, out var other) || other.Summary.Status == RunStatus.Incomplete)
                        runs[row.RunId] = (ReportedRun.Typed(row), row.Directory);
                }
            }
            catch (UserErrorException e)
            {
                unreadable(e.Message);
            }
        }
        var labels = Labels([.. runs.Values.Select(run => run.Directory)]);
        return [.. runs.Values.Select(run => new ReportedRun(labels[run.Directory], run.Directory, run.Summary)).OrderBy(run => run.Label, NaturalOrder.Instance)];
    }

    /// <summary>The last part of each path, with as many parts before it as tell all of them apart.</summary>
    private static Dictionary<string, string> Labels(IReadOnlyList<string> directories)
    {
        var parts = directories.Distinct().ToDictionary(d => d, d => Path.GetFullPath(d).Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries));
        for (var depth = 1; ; depth++)
        {
            var labels = parts.ToDictionary(p => p.Key, p => VisibleText.Of(string.Join('/', p.Value.TakeLast(depth))));
            if (labels.Values.Distinct().Count() == labels.Count || depth > parts.Values.Max(path => path.Length)) return labels;
        }
    }
}
