using Harness.Runs;

namespace Harness.Reports.Collecting;

/// <summary>
/// Walks directories for those that hold a run. Follows links, enters no directory twice, and reports what it may not read.
/// </summary>
public sealed class RunFinder(Action<string> unreadable)
{
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    public IEnumerable<string> Below(string root)
    {
        var open = new Stack<string>([root]);
        while (open.TryPop(out var directory))
        {
            if (Enter(directory) is not { } subdirectories) continue;
            var run = new RunReader(directory);
            if (run.IsComplete || run.HasManifest || run.HasPrompts) yield return directory;
            foreach (var subdirectory in subdirectories) open.Push(subdirectory);
        }
    }

    /// <summary>Its subdirectories, sorted; null where it was seen before, is gone, or is unreadable.</summary>
    private List<string>? Enter(string directory)
    {
        try
        {
            var info = new DirectoryInfo(directory);
            if (!_seen.Add(Path.TrimEndingDirectorySeparator((info.ResolveLinkTarget(returnFinalTarget: true) ?? info).FullName)))
                return null;
            return [.. Directory.EnumerateDirectories(directory).OrderDescending(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            unreadable(e is DirectoryNotFoundException ? $"there is no directory {directory}" : $"cannot read {directory}: {e.Message}");
            return null;
        }
    }
}
