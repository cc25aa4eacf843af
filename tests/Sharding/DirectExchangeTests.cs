using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Mpi;
using Harness.Sharding.Waits;
using Harness.Tests.Contracts;
using Harness.Tests.Sharding.Waits;

namespace Harness.Tests.Sharding;

/// <summary>The collectives of ranks without a core each, and the change between them and others, over threads in place of MPI.</summary>
[Parallelizable]
internal sealed class DirectExchangeTests
{
    private const int Tag = 40_000;

    /// <summary>As the communicators over MPI are made: collectives of the exchange or of the inner one, as the ranks agree.</summary>
    private sealed class Changing : ICommunicator, IDirectMessages
    {
        private readonly ICommunicator _inner;
        private readonly CoreShortage _shortage;
        private readonly DirectExchange _exchange;
        private readonly int[] _used;

        public Changing(ICommunicator inner, CoreShortage shortage, bool patient, int[] used)
        {
            (_inner, _shortage, _used) = (inner, shortage, used);
            _exchange = new DirectExchange(this, shortage, patient);
        }

        public string Name => _inner.Name;
        public int Rank => _inner.Rank;
        public int Size => _inner.Size;

        public void Barrier()
        {
            if (Chosen()) _exchange.Barrier();
            else _inner.Barrier();
        }

        public void AllReduceSum(Span<float> data)
        {
            if (Chosen()) _exchange.AllReduceSum(data);
            else _inner.AllReduceSum(data);
        }

        public void AllGather(ReadOnlySpan<byte> mine, Span<byte> all)
        {
            if (Chosen()) _exchange.AllGather(mine, all);
            else _inner.AllGather(mine, all);
        }

        public void Broadcast(Span<byte> data, int root)
        {
            if (Chosen()) _exchange.Broadcast(data, root);
            else _inner.Broadcast(data, root);
        }

        public ICommunicator Split(int color, int key)
        {
            if (Chosen()) _exchange.Barrier();
            return new Changing(_inner.Split(color, key), _shortage, _exchange.Patient, _used);
        }

        public byte[][]? Gather(ReadOnlySpan<byte> mine, int root) => _inner.Gather(mine, root);
        public void Send(ReadOnlySpan<byte> data, int destination, int tag) => _inner.Send(data, destination, tag);
        public void Receive(Span<byte> data, int source, int tag) => _inner.Receive(data, source, tag);
        public bool Probe(int source, int tag) => _inner.Probe(source, tag);
        public void Abort(int exitCode) => _inner.Abort(exitCode);
        public void Dispose() => _inner.Dispose();
        public void Post(ReadOnlySpan<byte> data, int destination) => _inner.Send(data, destination, Tag);
        public void Take(Span<byte> data, int source) => _inner.Receive(data, source, Tag);
        public void AllReduceBlocking(Span<float> data) => _inner.AllReduceSum(data);

        private bool Chosen()
        {
            var chosen = _exchange.IsChosen();
            Interlocked.Increment(ref _used[chosen ? 1 : 0]);
            return chosen;
        }
    }

    private static IEnumerable<TestCaseData> Cases() =>
        from size in new[] { 1, 2, 3, 5 }
        from body in (IEnumerable<(string Name, Action<ICommunicator> Body)>)[.. CommunicatorContract.Bodies, .. HostLinkContract.Bodies]
        select new TestCaseData(size, body.Body).SetArgDisplayNames($"{size} ranks", body.Name);

    [TestCaseSource(nameof(Cases))]
    [CancelAfter(120_000)]
    public void TheContractHoldsOverMessagesAlone(int ranks, Action<ICommunicator> body) => ThreadWorld.Run(ranks, world =>
        body(new Changing(world, new CoreShortage { Outnumbered = true }, patient: false, new int[2])));

    /// <summary>
    /// Ranks whose cores come and go, each at its own times, change over at the same collective: else they would wait for ever, or mix.
    /// </summary>
    [TestCaseSource(nameof(Cases))]
    [CancelAfter(120_000)]
    public void TheContractHoldsWhileCoresComeAndGo(int ranks, Action<ICommunicator> body) => ThreadWorld.Run(ranks, world =>
    {
        var cores = new ScriptedCores();
        var random = new Random(world.Rank);
        var shortage = new CoreShortage(cores, () =>
        {
            cores.Pass(2 * CoreShortage.ShortestHold, random.Next(4) == 0 ? 0.5 : 0);
            return cores.RunDelay();
        });
        body(new Changing(world, shortage, patient: false, new int[2]));
    });

    /// <summary>One rank of four loses its core and gets it back: all change over, there and back.</summary>
    [Test]
    public void OneRankWithoutACoreMakesAllPatientUntilItHasOneAgain() => ThreadWorld.Run(4, world =>
    {
        var cores = new ScriptedCores();
        var used = new int[2];
        var ranks = new Changing(world, cores.NewShortage(), patient: false, used);
        var none = new float[1];
        void Collectives(int count, double share)
        {
            Array.Clear(used);
            for (var i = 0; i < count; i++)
            {
                cores.Pass(CoreShortage.LookEvery, world.Rank == 2 ? share : 0);
                ranks.AllReduceSum(none);
            }
        }
        Collectives(AgreedPatience.LongestInterval, share: 0);
        Check.Equal((used[0], used[1]), (AgreedPatience.LongestInterval, 0), "with a core each");
        Collectives(AgreedPatience.LongestInterval, share: 0.5);
        Check.Equal((used[0], used[1]), (AgreedPatience.LongestInterval - 1, 1), "rank 2 without: from the next agreement on");
        Collectives(AgreedPatience.LongestInterval, share: 0);
        Check.Equal((used[0], used[1]), (1, AgreedPatience.LongestInterval - 1), "and back");
    });

    /// <summary>
    /// What is added to 2^24 is lost where it is less than 1, so the sum tells the order: (a0 + a1) + (a2 + a3); of three, (a0 + a1) + a2;
    /// of five, ((a0 + a1) + a2) + (a3 + a4).
    /// </summary>
    [TestCase(new[] { 16777216f, -16777216f, 0.75f, 0.25f }, 1f)]
    [TestCase(new[] { 16777216f, 0.75f, -16777216f, 0.25f }, 0f)]
    [TestCase(new[] { 16777216f, -16777216f, 0.75f }, 0.75f)]
    [TestCase(new[] { 0.75f, 16777216f, -16777216f }, 0f)]
    [TestCase(new[] { 16777216f, -16777216f, 0.75f, 16777216f, -16777216f }, 0.75f)]
    public void SumsRunInTheOrderOfRecursiveDoubling(float[] ranks, float expected)
    {
        // Two elements, so that a block is longer than one: [rank][element].
        float[] blocks = [.. ranks.SelectMany(value => new[] { value, 1f })];
        DirectExchange.SumBlocks(blocks, 2);
        Assert.That(blocks[..2], Is.EqualTo(new[] { expected, ranks.Length }));
    }
}
