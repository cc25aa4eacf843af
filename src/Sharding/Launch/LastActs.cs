using System.Diagnostics;

namespace Harness.Sharding.Launch;

/// <summary>
/// What must be done before this process ends where it ends without running a <c>finally</c>: before the world is aborted, by the
/// watchdog, and where the runtime itself ends it. The latest comes first. An act may be performed twice, and must bear that.
/// </summary>
public static class LastActs
{
    /// <summary>Longer than any act takes; a driver that hangs must not keep a rank alive.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private static readonly Lock s_gate = new();
    private static readonly List<Entry> s_acts = [];

    static LastActs()
    {
        AppDomain.CurrentDomain.UnhandledException += (_, _) => Perform();
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Perform();
    }

    /// <returns>Takes the act back, for who has done it by then.</returns>
    public static IDisposable Add(Action act)
    {
        var entry = new Entry(act);
        lock (s_gate) s_acts.Add(entry);
        return entry;
    }

    /// <summary>Performs all, each whatever becomes of the others.</summary>
    public static void Perform()
    {
        Entry[] acts;
        lock (s_gate) acts = [.. Enumerable.Reverse(s_acts)];
        if (acts.Length == 0) return;
        var thread = new Thread(() =>
        {
            foreach (var act in acts) act.Perform();
        })
        { IsBackground = true, Name = "last acts" };
        thread.Start();
        thread.Join(s_patience);
    }

    /// <summary>
    /// Tells other ranks of this machine (SIGTERM) that the world is about to end, for launchers that kill at once, and gives them time for
    /// what they have to do.
    /// </summary>
    /// <param name="processes">Their ids.</param>
    /// <param name="isDone">Whether they have done it.</param>
    public static void Warn(IReadOnlyCollection<int> processes, Func<bool> isDone)
    {
        if (processes.Count == 0) return;
        foreach (var process in processes) ProcessControl.Terminate(process);
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < s_patience / 5 && !isDone();) Thread.Sleep(10);
    }

    private sealed class Entry(Action act) : IDisposable
    {
        public void Perform()
        {
            try { act(); }
            // the process ends for another reason, which is the one to report
            catch (Exception e) { Console.Error.WriteLine($"harness: {e.Message}"); }
        }

        public void Dispose()
        {
            lock (s_gate) s_acts.Remove(this);
        }
    }
}
