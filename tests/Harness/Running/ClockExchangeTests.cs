using System.Diagnostics;
using Harness.Energy;
using Harness.Energy.Clocks;
using Harness.Running;
using Harness.Sharding.Communicators;

namespace Harness.Tests.Running;

/// <summary>Ranks of three nodes whose clocks are apart and drift, as threads.</summary>
internal sealed class ClockExchangeTests
{
    private static readonly string[] s_hosts = ["a", "a", "b", "b", "c", "a"];

    /// <summary>Of each node: how far behind rank 0's its clock begins, and by how much slower it runs.</summary>
    private static readonly Dictionary<string, (double Behind, double Slower)> s_clocks = new()
    {
        ["a"] = (0, 0),
        ["b"] = (1234.5, 1e-3),
        ["c"] = (-77.25, -1e-3),
    };

    [Test]
    public void EveryNodesClockIsFollowedToWithinItsUncertainty()
    {
        var offsets = new ClockOffset[s_hosts.Length];
        var origin = Stopwatch.GetTimestamp();
        ThreadWorld.Run(s_hosts.Length, world =>
            offsets[world.Rank] = new ClockExchange(world, s_hosts, new NodeClock(origin, s_hosts[world.Rank])).Measure());
        foreach (var (offset, host) in offsets.Zip(s_hosts))
        {
            var (behind, slower) = s_clocks[host];
            // By an own clock of t = T (1 - slower) - behind rank 0's T is ahead by (t + behind) / (1 - slower) - t.
            var truth = (offset.AtSeconds + behind) / (1 - slower) - offset.AtSeconds;
            Assert.That(Math.Abs(offset.OffsetSeconds - truth), Is.LessThanOrEqualTo(offset.UncertaintySeconds * 1.01 + 1e-9), host);
        }
        Assert.That(offsets[3], Is.EqualTo(offsets[2]), "ranks of a node share its clock");
        Assert.That((offsets[1].OffsetSeconds, offsets[5].UncertaintySeconds), Is.EqualTo((0.0, 0.0)));
    }

    /// <summary>Sixty-four messages for each other node, however many ranks it has.</summary>
    [TestCase(16, 1, 0)]
    [TestCase(16, 2, 64)]
    [TestCase(64, 2, 64)]
    [TestCase(64, 8, 7 * 64)]
    public void MessagesGrowWithTheNodes(int ranks, int nodes, int messages)
    {
        var hosts = Enumerable.Range(0, ranks).Select(rank => $"node{rank * nodes / ranks}").ToArray();
        var counted = new CountedCommunicator[ranks];
        var origin = Stopwatch.GetTimestamp();
        ThreadWorld.Run(ranks, world =>
            new ClockExchange(counted[world.Rank] = new(world), hosts, new MonotonicClock(origin)).Measure());
        Assert.That(counted.Sum(rank => rank.Messages), Is.EqualTo(messages));
    }

    private sealed class NodeClock(long origin, string host) : IRunClock
    {
        public double Seconds =>
            Stopwatch.GetElapsedTime(origin).TotalSeconds * (1 - s_clocks[host].Slower) - s_clocks[host].Behind;

        public double? SuspendedSeconds => null;

        public void Wait(double deadlineSeconds, WaitHandle? wake) => throw new NotSupportedException("nobody waits");
    }
}
