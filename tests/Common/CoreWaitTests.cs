using Harness.Common;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Common;

[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class CoreWaitTests
{
    [Test]
    public void OfTheTimeInWhichThreadsWereReadyTheShareWithoutACoreIsGiven()
    {
        using var scratch = new ScratchDirectory();
        void Thread(int id, string times)
        {
            Directory.CreateDirectory(scratch["task", $"{id}"]);
            File.WriteAllText(scratch["task", $"{id}", "schedstat"], times);
        }
        Thread(1, "100 50 7\n");
        Thread(2, "1000 1000 9\n");
        var before = CoreWait.Now(scratch["task"]);
        Assert.That(before.ShareSince(before), Is.Null, "nothing was ready to run");
        Thread(1, "300 150 8\n");
        Thread(3, "100 100 2\n");               // begun meanwhile
        Directory.Delete(scratch["task", "2"], recursive: true);    // ended meanwhile
        Assert.That(CoreWait.Now(scratch["task"]).ShareSince(before), Is.EqualTo((100 + 100) / (200.0 + 100 + 100 + 100)));
        Assert.That(CoreWait.Now(scratch["nothing"]).ShareSince(CoreWait.Now(scratch["nothing"])), Is.Null, "not told");
    }

    /// <summary>Four threads that never sleep, on one core: each waits while the others run.</summary>
    [Test]
    public void ThreadsThatShareACoreWaitForIt()
    {
        if (CoreWait.Now().ShareSince(new CoreWait()) == null) Assert.Ignore("the system has no /proc/self/task/*/schedstat: not run");
        var core = HostCpu.AffinityMask()[0];
        using var begun = new Barrier(5);
        var isOver = false;
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            HostCpu.PinCurrentThread([core]);
            begun.SignalAndWait();
            while (!Volatile.Read(ref isOver)) Thread.SpinWait(100);
        }))];
        foreach (var thread in threads) thread.Start();
        begun.SignalAndWait();
        var before = CoreWait.Now();
        double? share = null;
        // The kernel counts a wait when it has ended: until each has had its turn.
        for (var end = Environment.TickCount64 + 60_000; !(share > 0.3) && Environment.TickCount64 < end; Thread.Sleep(50))
            share = CoreWait.Now().ShareSince(before);
        Volatile.Write(ref isOver, true);
        foreach (var thread in threads) thread.Join();
        Assert.That(share, Is.GreaterThan(0.3).And.LessThan(1));
    }
}
