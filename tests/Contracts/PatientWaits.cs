using System.Diagnostics;
using System.Globalization;
using Harness.Sharding;

namespace Harness.Tests.Contracts;

/// <summary>What a rank does to its core while it waits, where cores are short: as a body for two ranks or more.</summary>
internal static class PatientWaits
{
    /// <summary>Of processor time that the last rank works while the others wait for it.</summary>
    private static readonly TimeSpan s_work = TimeSpan.FromSeconds(0.3);

    public static void Body(ICommunicator c)
    {
        var sum = new float[1000];
        var all = new byte[c.Size];
        (string, Action)[] waits =
        [
            ("barrier", c.Barrier),
            ("all-reduce", () => c.AllReduceSum(sum)),
            ("all-gather", () => c.AllGather([1], all)),
            ("broadcast", () => c.Broadcast(all, c.Size - 1)),
            ("receive", () => Pass(c)),
            ("gather", () => c.Gather(all, 0)),
        ];
        foreach (var (name, wait) in waits)
        {
            c.Barrier();
            wait();   // compiles it
            c.Barrier();
            if (c.Rank == c.Size - 1) Work();
            var (clock, before) = (Stopwatch.StartNew(), ProcessorTime());
            wait();
            var used = ProcessorTime() - before;
            // A rank that keeps its core busy while it waits gets as much of it as the one that works, whatever else runs: patient ones
            // wake two thousand times a second.
            if (c.Rank == 0)
                Check.That(used < 0.6 * s_work,
                    $"{name}: {used.TotalMilliseconds:0} ms of processor time in a wait of {clock.ElapsedMilliseconds} ms");
        }
    }

    /// <summary>A message from the last rank to the first.</summary>
    private static void Pass(ICommunicator c)
    {
        if (c.Rank == c.Size - 1) c.Send([1], 0, 3);
        if (c.Rank == 0) c.Receive(new byte[1], c.Size - 1, 3);
    }

    private static void Work()
    {
        for (var start = ProcessorTime(); ProcessorTime() - start < s_work;) Thread.SpinWait(1000);
    }

    /// <summary>Of the calling thread.</summary>
    private static TimeSpan ProcessorTime() =>
        TimeSpan.FromMicroseconds(
            long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], CultureInfo.InvariantCulture) / 1000);
}
