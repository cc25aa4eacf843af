using Harness.Sharding.Communicators;
using Harness.Sharding.Waits;

namespace Harness.Tests.Sharding.Waits;

/// <summary>Ranks and threads counted against cores.</summary>
internal sealed class CoreClaimsTests
{
    private static readonly int[] s_four = [0, 1, 2, 3];

    /// <summary>Ranks that may all use the same four cores.</summary>
    private static CoreClaim[] Alike(int ranks, int threads) =>
        [.. Enumerable.Repeat(new CoreClaim("boot", "node", s_four, 4, threads), ranks)];

    [TestCase(4, 1, false)]
    [TestCase(5, 1, true)]
    [TestCase(2, 2, false)]
    [TestCase(2, 3, true)]
    public void RanksTimesThreadsAgainstTheCoresTheyShare(int ranks, int threads, bool expected) =>
        Assert.That(CoreClaims.OutnumberCores(Alike(ranks, threads), 0), Is.EqualTo(expected));

    [Test]
    public void RanksThatAreBoundToACoreEachHaveTheirs()
    {
        CoreClaim[] claims = [.. s_four.Select(core => new CoreClaim("boot", "node", [core], 1, 1))];
        Assert.That(CoreClaims.OutnumberCores(claims, 2), Is.False);
        Assert.That(CoreClaims.OutnumberCores([.. claims, claims[0]], 2), "two on core 0");
    }

    [Test]
    public void AnotherMachineCountsForItself()
    {
        CoreClaim[] claims = [.. Alike(5, 1), .. Alike(2, 1).Select(claim => claim with { Machine = "other boot", Host = "other" })];
        Assert.That(CoreClaims.OutnumberCores(claims, 0));
        Assert.That(CoreClaims.OutnumberCores(claims, 6), Is.False);
    }

    /// <summary>Two host names on one machine, as containers and emulated nodes have them, share its cores.</summary>
    [Test]
    public void NamesOfOneMachineShareItsCores()
    {
        CoreClaim[] claims = [.. Alike(3, 1), .. Alike(3, 1).Select(claim => claim with { Host = "second" })];
        Assert.That(CoreClaims.OutnumberCores(claims, 0));
    }

    [Test]
    public void AQuotaIsThatOfOneName()
    {
        CoreClaim[] Container(string host, int ranks) =>
            [.. Alike(ranks, 1).Select(claim => claim with { Host = host, Cores = [.. Enumerable.Range(0, 64)] })];
        Assert.That(CoreClaims.OutnumberCores([.. Container("a", 4), .. Container("b", 4)], 0), Is.False, "four cores' worth for each");
        Assert.That(CoreClaims.OutnumberCores([.. Container("a", 5), .. Container("b", 3)], 0));
        Assert.That(CoreClaims.OutnumberCores([.. Container("a", 5), .. Container("b", 3)], 5), Is.False);
    }

    [Test]
    public void WhereTheSystemTellsNoCoresTheirNumberDecides()
    {
        CoreClaim[] Unknown(int ranks) => [.. Alike(ranks, 1).Select(claim => claim with { Cores = [] })];
        Assert.That(CoreClaims.OutnumberCores(Unknown(4), 0), Is.False);
        Assert.That(CoreClaims.OutnumberCores(Unknown(5), 0));
    }

    /// <summary>Threads of this process, as if each were a process: more than the machine has cores.</summary>
    [Test]
    public void RanksAgreeOnWhatTheyGather([Values] bool many) => ThreadWorld.Run(2, world =>
    {
        var threads = many ? Environment.ProcessorCount : 0;
        Contracts.Check.Equal(CoreClaims.OutnumberCores(world, threads), many
            || Environment.ProcessorCount < 2, $"2 ranks of {threads} threads");
    });

    [Test]
    public void RanksAgreeBeforeEveryHundredthOrSoCollective()
    {
        var agreed = new AgreedPatience(patient: false);
        var due = Enumerable.Range(1, 600).Where(_ => agreed.IsDue());
        Assert.That(due, Is.EqualTo(new[] { 1, 2, 4, 8, 16, 32, 64, 128, 256, 384, 512 }));
    }
}
