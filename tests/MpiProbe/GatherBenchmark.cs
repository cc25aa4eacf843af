using System.Diagnostics;
using Harness.Sharding;

namespace Harness.Tests.MpiProbe;

/// <summary>Rank 0 collecting the records of a run: what it takes in time and memory.</summary>
internal static class GatherBenchmark
{
    public static void Run(ICommunicator world, int prompts, int tokens, int bytesPerToken)
    {
        var mine = new byte[checked(prompts * tokens * bytesPerToken)];
        new Random(world.Rank).NextBytes(mine);
        world.Barrier();
        var before = Environment.WorkingSet;
        var start = Stopwatch.GetTimestamp();
        var all = world.Gather(mine, 0);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (all != null)
        {
            var total = all.Sum(a => (long)a.Length);
            var peak = File.Exists("/proc/self/status")
                ? File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM", StringComparison.Ordinal)).Split(':')[1].Trim()
                : "unknown";
            Console.WriteLine(FormattableString.Invariant(
                $"gather,{world.Name},ranks={world.Size},prompts={prompts},tokens={tokens},bytes_per_token={bytesPerToken},received_mb={total / 1e6:0},seconds={seconds:0.000},gb_per_s={total / seconds / 1e9:0.00},rank0_grew_mb={(Environment.WorkingSet - before) / 1e6:0},rank0_peak={peak}"));
        }
        world.Barrier();
        GC.KeepAlive(all);
    }
}
