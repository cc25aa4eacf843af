using Harness.Tensors.Cpu;

namespace Harness.Tests.Tensors;

internal sealed class WorkerTeamTests
{
    [Test]
    public void EveryWorkerRunsEachRegionOnce([Values(1, 2, 5, 16)] int threads, [Values(0, 20)] double spinMicroseconds)
    {
        using var team = new WorkerTeam(threads, spinMicroseconds);
        var runs = new int[threads];
        var random = new Random(1);
        for (var burst = 1; burst <= 100; burst++)
        {
            for (var region = 0; region < 20; region++) team.Run(worker => Interlocked.Increment(ref runs[worker]));
            Assert.That(runs, Is.All.EqualTo(20 * burst));
            // Sometimes long enough apart for the workers to park.
            if (random.Next(5) == 0) Thread.Sleep(1);
        }
    }

    [Test]
    public void AnExceptionOfAnyWorkerReachesTheCallerAndTheTeamLivesOn([Values(0, 2)] int failing)
    {
        using var team = new WorkerTeam(3, 0);
        Assert.That(() => team.Run(worker =>
        {
            if (worker == failing) throw new FormatException("from a worker");
        }), Throws.TypeOf<FormatException>().With.Message.EqualTo("from a worker"));
        var ran = 0;
        team.Run(_ => Interlocked.Increment(ref ran));
        Assert.That(ran, Is.EqualTo(3));
    }

    /// <summary>Workers whose threads have not started stand for those that get no core.</summary>
    [Test]
    public void TheCallerDoesWhatNoWorkerBegins([Values(0, 20)] double spinMicroseconds)
    {
        var late = new List<Thread>();
        using var team = new WorkerTeam(4, spinMicroseconds, late.Add);
        var threads = new int[4];
        for (var region = 0; region < 20; region++)
        {
            Array.Clear(threads);
            team.Run(part => threads[part] = Environment.CurrentManagedThreadId);
            Assert.That(threads, Is.All.EqualTo(Environment.CurrentManagedThreadId));
        }
        // Once they run, they take their own parts again: the caller gives each the time to.
        foreach (var thread in late) thread.Start();
        using var all = new CountdownEvent(4);
        team.Run(part =>
        {
            threads[part] = Environment.CurrentManagedThreadId;
            all.Signal();
            all.Wait();
        });
        Assert.That(threads, Is.Unique);
    }

    /// <summary>A region cannot end before a part that a worker has begun, however late that is.</summary>
    [Test]
    public void TheCallerWaitsForAPartThatAWorkerHasBegun()
    {
        using var team = new WorkerTeam(2, 20);
        using var begun = new ManualResetEventSlim();
        var ended = false;
        team.Run(part =>
        {
            if (part == 0)
            {
                begun.Wait();
                return;
            }
            begun.Set();
            for (var i = 0; i < 100; i++) Thread.Yield();
            ended = true;
        });
        Assert.That(ended);
    }

    [Test]
    public void SharesCoverAllItemsOnceInWholeGranules([Values(0, 1, 7, 64, 1000)] int count, [Values(1, 8)] int granule,
        [Values(1, 2, 3, 7)] int threads)
    {
        var next = 0;
        for (var worker = 0; worker < threads; worker++)
        {
            var (first, last) = WorkerTeam.Share(count, granule, worker, threads);
            Assert.That(first, Is.EqualTo(next));
            Assert.That(last == count || last % granule == 0);
            Assert.That(last - first, Is.LessThanOrEqualTo((count / granule / threads + 2) * granule));
            next = last;
        }
        Assert.That(next, Is.EqualTo(count));
    }
}
