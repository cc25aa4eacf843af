using System.Diagnostics;
using Harness.Sharding;

namespace Harness.Tests.MpiProbe;

/// <summary>The loop of bench/mpi/allreduce.c through the binding: same sizes, same repetitions, same output.</summary>
internal static class AllReduceBenchmark
{
    /// <summary>Writes "bytes,seconds" for each size: the time of one all-reduce on rank 0, the least over the batches.</summary>
    public static void Run(ICommunicator world)
    {
        const int batches = 41;
        // Until the runtime has compiled the loop's methods a second time, in the background, with optimisation.
        for (var round = 0; round < 4; round++)
        {
            for (var i = 0; i < 500; i++) world.AllReduceSum(new float[16]);
            Thread.Sleep(100);
        }
        for (var bytes = 64; bytes <= 4 << 20; bytes *= 4)
        {
            var data = new float[bytes / sizeof(float)];
            var repetitions = Math.Clamp((1 << 22) / bytes, 4, 2000);
            for (var i = 0; i < repetitions; i++) world.AllReduceSum(data);
            var least = double.MaxValue;
            for (var b = 0; b < batches; b++)
            {
                world.Barrier();
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < repetitions; i++) world.AllReduceSum(data);
                least = Math.Min(least, (double)(Stopwatch.GetTimestamp() - start) / Stopwatch.Frequency / repetitions);
            }
            if (world.Rank == 0) Console.WriteLine(FormattableString.Invariant($"{bytes},{least:E4}"));
        }
    }
}
