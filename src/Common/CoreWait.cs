using System.Globalization;

namespace Harness.Common;

/// <summary>
/// How long this process's threads ran, and how long they were ready to run and had no core: the first two numbers of
/// <c>/proc/self/task/*/schedstat</c> in nanoseconds (Linux, Documentation/scheduler/sched-stats.rst). A thread that sleeps is neither.
/// </summary>
public sealed class CoreWait
{
    public const string DefaultRoot = "/proc/self/task";

    private readonly Dictionary<string, (long Ran, long Waited)> _threads = [];

    /// <summary>Until now, of the threads that live; none where the system does not tell.</summary>
    public static CoreWait Now(string root = DefaultRoot)
    {
        var now = new CoreWait();
        if (!Directory.Exists(root)) return now;
        foreach (var thread in Directory.EnumerateDirectories(root))
            if (Of(Path.Combine(thread, "schedstat")) is { } times) now._threads[thread] = times;
        return now;
    }

    /// <summary>
    /// Of the time since <paramref name="earlier"/> in which threads ran or were ready to run, the share in which they had no core: 0 with
    /// cores of their own, a half where two of them share one. Null where none did, or the system does not tell.
    /// </summary>
    public double? ShareSince(CoreWait earlier)
    {
        var (ran, waited) = (0L, 0L);
        foreach (var (thread, times) in _threads)
        {
            var before = earlier._threads.GetValueOrDefault(thread);
            ran += times.Ran - before.Ran;
            waited += times.Waited - before.Waited;
        }
        return ran + waited > 0 ? (double)waited / (ran + waited) : null;
    }

    /// <summary>Null for a thread that has ended meanwhile.</summary>
    private static (long Ran, long Waited)? Of(string file)
    {
        try
        {
            return File.ReadAllText(file).Split(' ') is [var ran, var waited, ..]
                && long.TryParse(ran, CultureInfo.InvariantCulture, out var nanoseconds)
                && long.TryParse(waited, CultureInfo.InvariantCulture, out var without) ? (nanoseconds, without) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
