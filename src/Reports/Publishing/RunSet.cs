using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>The runs of a report, each once, in order of their names.</summary>
internal static class RunSet
{
    public static IReadOnlyList<ReportedRun> Load(IEnumerable<string> directories, RunsBelow found)
    {
        var runs = new Dictionary<string, (SummaryRecord Summary, string Directory)>(StringComparer.Ordinal);
        foreach (var rows in found.Read(directories, directory =>
            CollectedRow.Of(directory).Select(row => (Row: row, Summary: row.Typed())).ToList()))
            foreach (var (row, summary) in rows)
            {
                if (row.Objection is { } objection) found.LeaveOut($"{row.Directory} {objection}");
                if (!runs.TryGetValue(row.RunId, out var other) || other.Summary.Status == RunStatus.Incomplete)
                    runs[row.RunId] = (summary, row.Directory);
            }
        var labels = Labels([.. runs.Values.Select(run => run.Directory)]);
        return [.. runs.Values.Select(run => new ReportedRun(labels[run.Directory], run.Directory, run.Summary))
            .OrderBy(run => run.Label, NaturalOrder.Instance)];
    }

    /// <summary>The last part of each path, with as many parts before it as tell all of them apart.</summary>
    private static Dictionary<string, string> Labels(IReadOnlyList<string> directories)
    {
        var parts = directories.Distinct()
            .ToDictionary(d => d, d => Path.GetFullPath(d).Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries));
        for (var depth = 1; ; depth++)
        {
            var labels = parts.ToDictionary(p => p.Key, p => VisibleText.Of(string.Join('/', p.Value.TakeLast(depth))));
            if (labels.Values.Distinct().Count() == labels.Count || depth > parts.Values.Max(path => path.Length)) return labels;
        }
    }
}
