using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Links;
using Harness.Sharding.Waits;
using Harness.Tensors;
using Harness.Tests.Contracts;

namespace Harness.Tests.Sharding;

/// <summary>What threads add to the contract: failures that reach everyone, sums in rank order, no garbage.</summary>
[CancelAfter(60_000)]
public class ThreadWorldTests
{
    [Test]
    public void TheFirstExceptionFailsTheWorldAndWakesEveryWait()
    {
        var woken = 0;
        var e = Assert.Throws<InvalidOperationException>(() => ThreadWorld.Run(6, c =>
        {
            using var pair = c.Split(c.Rank / 2, 0);
            try
            {
                switch (c.Rank)
                {
                    case 0: c.Receive(new byte[1], 5, 1); break;
                    case 1: pair.Barrier(); break;
                    case 2: c.Barrier(); break;
                    case 3: c.AllReduceSum(new float[10]); break;
                    case 4: c.Receive(new byte[1], 4, 1); break;
                    default: Thread.Sleep(50); throw new InvalidOperationException("the fifth");
                }
            }
            catch (CommunicationException w) when (w.Message == "rank 5 failed: the fifth")
            {
                Interlocked.Increment(ref woken);
                throw;
            }
        }));
        Assert.That(e!.Message, Is.EqualTo("the fifth"));
        Assert.That(woken, Is.EqualTo(5));
    }

    [Test]
    public void AbortFailsTheWorldWithItsExitCode()
    {
        var e = Assert.Throws<WorldAbortedException>(() => ThreadWorld.Run(3, c =>
        {
            if (c.Rank == 1) c.Abort(7);
            c.Barrier();
        }));
        Assert.That(e!.ExitCode, Is.EqualTo(7));
    }

    [Test]
    public void WaitingForARankThatHasReturnedIsAnError()
    {
        Assert.That(() => ThreadWorld.Run(3, c =>
        {
            if (c.Rank != 2) c.Barrier();
        }), Throws.TypeOf<CommunicationException>().With.Message.Contains("rank 2 has returned"));

        Assert.That(() => ThreadWorld.Run(2, c =>
        {
            if (c.Rank == 0) c.Receive(new byte[1], 1, 3);
        }), Throws.TypeOf<CommunicationException>().With.Message.Contains("rank 1 has returned"));
    }

    [Test]
    public void MessagesOutliveTheirSender() => ThreadWorld.Run(2, c =>
    {
        if (c.Rank == 1) c.Send([42], 0, 3);
        else
        {
            Thread.Sleep(50);
            var got = new byte[1];
            c.Receive(got, 1, 3);
            Check.Equal(got[0], (byte)42, "message");
        }
    });

    [Test]
    public void DifferentOperationsAndLengthsAreErrors()
    {
        Assert.That(() => ThreadWorld.Run(3, c =>
        {
            if (c.Rank == 1) c.Barrier();
            else c.AllReduceSum(new float[3]);
        }), Throws.TypeOf<CommunicationException>().With.Message.Contains("while rank"));

        Assert.That(() => ThreadWorld.Run(3, c => c.AllReduceSum(new float[3 + c.Rank / 2])),
            Throws.TypeOf<CommunicationException>().With.Message.Contains("elements"));
    }

    [Test]
    public void SumsRunInRankOrder()
    {
        const int length = 1001;
        static float Value(int rank, int i) => (float)(new Random(rank * length + i).NextDouble() - 0.5) * MathF.Pow(10, rank);
        var expected = new float[length];
        for (var i = 0; i < length; i++)
        {
            var sum = Value(0, i);
            for (var r = 1; r < 7; r++) sum += Value(r, i);
            expected[i] = sum;
        }
        ThreadWorld.Run(7, c =>
        {
            var data = Enumerable.Range(0, length).Select(i => Value(c.Rank, i)).ToArray();
            c.AllReduceSum(data);
            Check.That(data.SequenceEqual(expected), $"rank {c.Rank}");
        });
    }

    [Test]
    public void ManyWorldsThatFailAtOnceLeaveNobodyWaiting()
    {
        // The failure races with ranks that enter and leave collectives.
        for (var round = 0; round < 200; round++)
        {
            Assert.That(() => ThreadWorld.Run(4, c =>
            {
                var data = new float[100];
                for (var i = 0; ; i++)
                {
                    if (c.Rank == round % 4 && i == round % 7) throw new InvalidOperationException();
                    c.AllReduceSum(data);
                }
            }), Throws.InvalidOperationException);
        }
    }

    /// <summary>32 ranks on any number of cores, through 200 all-reduces: the barrier must not spin its neighbours away.</summary>
    [Test]
    public void ThirtyTwoRanks() => ThreadWorld.Run(32, c =>
    {
        var data = new float[1000];
        for (var i = 0; i < 200; i++)
        {
            Array.Fill(data, c.Rank);
            c.AllReduceSum(data);
            Check.Elements(data, _ => 31 * 32 / 2, "sum of 0 to 31");
        }
    });

    /// <summary>A rank that waits where cores are short leaves them to the one that works, however long that takes.</summary>
    [Test, Platform("Linux")]
    public void AWaitWithoutACoreOfItsOwnTakesLittleProcessorTime() =>
        ThreadWorld.Run(2, () => new CoreShortage { Outnumbered = true }, PatientWaits.Body);

    [TestCase(DType.F32, 1000)]
    [TestCase(DType.BF16, 1000)]
    [TestCase(DType.BF16, 50_000)]
    public void AllReduceMakesNoGarbage(DType wire, int columns) => ThreadWorld.Run(3, c =>
    {
        var host = new HostArrays();
        var link = new HostLink(c, host, wire);
        var x = host.NewTensor(2, columns);
        for (var i = 0; i < 20; i++) link.AllReduce(x);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++) link.AllReduce(x);
        Check.Equal(GC.GetAllocatedBytesForCurrentThread() - before, 0L, "bytes allocated in 20 all-reduces");
    });
}
