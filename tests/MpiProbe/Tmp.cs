using System.Diagnostics;
using Harness.Sharding;
namespace Harness.Tests.MpiProbe;
internal static class Tmp
{
    public static void Run(ICommunicator w)
    {
        foreach (var n in new[] { 1000, 10_000, 100_000, 1_000_000, 8_000_000 })
        {
            var d = new byte[n];
            for (var k = 0; k < 3; k++)
            {
                w.Barrier();
                if (w.Rank == 0) { Thread.Sleep(20); var s = Stopwatch.GetTimestamp(); w.Send(d, w.Size - 1, 1); var e = Stopwatch.GetElapsedTime(s).TotalMilliseconds; Thread.Sleep(300); if (k == 2) Console.WriteLine($"{n} send {e:0.000} ms"); }
                else if (w.Rank == w.Size - 1) { var s = Stopwatch.GetTimestamp(); w.Receive(d, 0, 1); if (k == 2) Console.WriteLine($"{n} receive waited {Stopwatch.GetElapsedTime(s).TotalMilliseconds:0.0} ms (20 = at once, 320 = only when the sender calls again)"); }
                w.Barrier();
            }
        }
    }
}
