using System.Diagnostics;
using Harness.Sharding;

namespace Harness.Tests.MpiProbe;

/// <summary>The loop of bench/mpi/allreduce.c through the binding: same sizes, same repetitions, same output.</summary>
internal static class AllReduceBenchmark
{
    /// <summary>Writes "bytes,seconds", the median over batches of the time of one all-reduce on rank 0.</summary>
    public static void Run(ICommunicator world)
    {
        const int batches = 21;
        for (var bytes = 64; bytes <= 4 << 20; bytes *= 4)
        {
            var data = new float[bytes / sizeof(float)];
            var repetitions = Math.Clamp((1 << 22) / bytes, 4, 200);
            for (var i = 0; i < repetitions; i++) world.AllReduceSum(data);
            var seconds = new double[batches];
            for (var b = 0; b < batches; b++)
            {
                world.Barrier();
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < repetitions; i++) world.AllReduceSum(data);
                seconds[b] = Stopwatch.GetElapsedTime(start).TotalSeconds / repetitions;
            }
            Array.Sort(seconds);
            if (world.Rank == 0) Console.WriteLine(FormattableString.Invariant($"{bytes},{seconds[batches / 2]:E4}"));
        }
    }
}
