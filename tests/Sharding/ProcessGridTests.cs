using Harness.Common;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Links;
using Harness.Tensors;
using Harness.Tests.Contracts;

namespace Harness.Tests.Sharding;

public class ProcessGridTests
{
    [Test]
    public void EveryRankHasItsPlaceAndEveryPlaceItsRank()
    {
        var grid = new ProcessGrid(4, 3, 2);
        Assert.That(grid.Size, Is.EqualTo(24));
        Assert.That(Enumerable.Range(0, 24).Select(r => grid.RankOf(grid[r])), Is.EqualTo(Enumerable.Range(0, 24)));
        Assert.That(grid[0], Is.EqualTo(new GridPosition(0, 0, 0)));
        Assert.That(grid[3], Is.EqualTo(new GridPosition(3, 0, 0)), "tensor rank fastest");
        Assert.That(grid[4], Is.EqualTo(new GridPosition(0, 1, 0)), "then the stage");
        Assert.That(grid[12], Is.EqualTo(new GridPosition(0, 0, 1)), "then the replica");
        Assert.That(grid[23], Is.EqualTo(new GridPosition(3, 2, 1)));
    }

    [TestCase(8, 4, 1, 1, "8 ranks are running, but --tp 4 × --pp 1 × --dp 1 needs 4; start 4 (mpiexec -n 4, or srun --ntasks=4) or "
        + "choose degrees whose product is 8")]
    [TestCase(1, 2, 2, 2, "1 rank is running, but --tp 2 × --pp 2 × --dp 2 needs 8; start 8 (mpiexec -n 8, or srun --ntasks=8) or choose "
        + "degrees whose product is 1")]
    public void AWorldOfAnotherSizeIsRefused(int world, int tensor, int pipeline, int data, string message) =>
        Assert.That(() => new ProcessGrid(tensor, pipeline, data).Fit(world),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(message));

    [TestCase(0, 1, 1, "--tp 0")]
    [TestCase(1, -2, 1, "--pp -2")]
    [TestCase(1, 1, 0, "--dp 0")]
    public void ADegreeBelowOneIsRefused(int tensor, int pipeline, int data, string named) =>
        Assert.That(() => new ProcessGrid(tensor, pipeline, data), Throws.TypeOf<UserErrorException>().With.Message.StartsWith(named));

    [Test]
    public void MoreRanksThanCanBeCountedAreRefused() =>
        Assert.That(() => new ProcessGrid(100_000, 100_000, 1),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
            "--tp 100000 × --pp 100000 × --dp 1 are more ranks than there can be; use smaller degrees"));

    [Test]
    public void ANodeIsABootWhateverItsNames()
    {
        // Two machines named "a", ranks dealt round robin over three nodes.
        string[] hosts = ["a", "b", "a", "a", "b", "a"], boots = ["1", "2", "3", "1", "2", "3"], names = ["a", "b", "a#2", "a", "b", "a#2"];
        Assert.That(NodeTopology.From(hosts, boots, 5) with { Hosts = [] }, Is.EqualTo(new NodeTopology(1, 2, 2, 3, [])));
        Assert.That(NodeTopology.From(hosts, boots, 0).Hosts, Is.EqualTo(names));
        // Containers of one machine, each with a name of its own.
        var contained = NodeTopology.From(["c1", "c2", "c1", "d"], ["1", "1", "1", "2"], 2);
        Assert.That(contained with { Hosts = [] }, Is.EqualTo(new NodeTopology(2, 3, 0, 2, [])));
        Assert.That(contained.Hosts, Is.EqualTo(new[] { "c1", "c1", "c1", "d" }));
        // No boot ids: names are all there is.
        Assert.That(NodeTopology.From(["a", "b", "a"], ["", "", ""], 2), Has.Property(nameof(NodeTopology.LocalRank))
            .EqualTo(1).And.Property(nameof(NodeTopology.Nodes)).EqualTo(2));
    }

    [Test]
    public void AWireTypeThatIsNotOneIsRefused() =>
        Assert.That(() => new HostLink(new SoloCommunicator(), new HostArrays(), DType.F16),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith("--comm-dtype f16"));

    [Test]
    public void TheSoloLinkLeavesTensorsAlone()
    {
        var host = new HostArrays();
        var link = new SoloLink();
        var x = host.From(2, 3, (row, column) => 3 * row + column);
        link.AllReduce(x);
        Assert.That(host.Values(x), Is.EqualTo(new float[] { 0, 1, 2, 3, 4, 5 }));
        Assert.That(link.AllGatherColumns(x, [3]), Is.SameAs(x));
        Assert.That(link.Statistics, Is.EqualTo(default(LinkStatistics)));
        Assert.That(() => link.Send(x, 0), Throws.InvalidOperationException);
    }
}
