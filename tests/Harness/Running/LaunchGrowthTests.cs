using System.Text;
using Harness.Running;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Launch;

namespace Harness.Tests.Running;

/// <summary>
/// What the checks before a run ask of the communicator: as many collective calls whatever the number of ranks, each of which a library
/// makes in a number of rounds that grows with the logarithm, and bytes in proportion to the ranks.
/// </summary>
internal sealed class LaunchGrowthTests
{
    [Test]
    public void ChecksBeforeARunAreAsManyCallsForAnyNumberOfRanks()
    {
        var (few, many) = (Launch(16), Launch(128));
        Assert.That(few.Concat(many).Select(rank => rank.Collectives).Distinct().Count(), Is.EqualTo(1));
        Assert.That(few.Concat(many).Sum(rank => rank.Messages), Is.Zero, "to one rank alone");
        Assert.That(many.Max(rank => rank.CollectedBytes), Is.LessThanOrEqualTo(8 * few.Max(rank => rank.CollectedBytes)));
    }

    private static CountedCommunicator[] Launch(int ranks)
    {
        var counted = new CountedCommunicator[ranks];
        ThreadWorld.Run(ranks, world =>
        {
            var mine = counted[world.Rank] = new(world);
            LaunchChecks.SameEverywhere(mine, new Dictionary<string, byte[]>
            {
                ["program"] = Encoding.UTF8.GetBytes("1"),
                ["configuration"] = Encoding.UTF8.GetBytes("{}"),
            });
            using var groups = new GridGroups(new ProcessGrid(8, 1, ranks / 8), mine);
            var topology = NodeTopology.Of(mine);
            LaunchChecks.OnEveryRank(mine, () => 1);
            new ClockExchange(mine, topology.Hosts, new Harness.Energy.MonotonicClock()).Measure();
        });
        return counted;
    }
}
