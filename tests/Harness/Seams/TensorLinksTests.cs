using Harness.Common;
using Harness.Configuration;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Tensors;

namespace Harness.Tests.Seams;

/// <summary>What --link chooses on a machine without NCCL, and what it says.</summary>
internal sealed class TensorLinksTests
{
    [TestCase(LinkKind.Host, "cpu")]
    [TestCase(LinkKind.Auto, "cpu")]
    public void HostMemoryNeedsNoWord(LinkKind link, string backend) =>
        Assert.That(Choose(link, backend, 2), Is.All.EqualTo((default(ITensorLinkFactory), default(string))));

    [Test]
    public void OneRankHasNobodyToLinkTo() =>
        Assert.That(Choose(LinkKind.Nccl, "cpu", 1), Is.All.EqualTo((default(ITensorLinkFactory), default(string))));

    [Test]
    public void NcclWithTheCpuBackendIsRefusedOnEveryRank()
    {
        Assert.That(Refusals("cpu"), Is.All.EqualTo("link 'nccl': NCCL moves tensors of --backend torch, not of cpu, or use --link host"));
    }

    [Test]
    public void AutoFallsBackToHostMemoryAndSaysWhy()
    {
        var choices = Choose(LinkKind.Auto, "torch", 2);
        if (choices[0].Factory != null) Assert.Ignore("this machine has NCCL and a device for each rank: the fallback was not tried");
        Assert.That(choices, Is.All.EqualTo(choices[0]));
        Assert.That(choices[0].Obstacle, Does.StartWith("link 'nccl': ").And.Contain("this rank has none").Or.Contain("libnccl"));
    }

    private static string[] Refusals(string backend)
    {
        var messages = new string[2];
        ThreadWorld.Run(2, world =>
            messages[world.Rank] = Assert.Catch<UserErrorException>(() => Choose(LinkKind.Nccl, backend, world))!.Message);
        return messages;
    }

    private static (ITensorLinkFactory? Factory, string? Obstacle)[] Choose(LinkKind link, string backend, int ranks)
    {
        var choices = new (ITensorLinkFactory?, string?)[ranks];
        ThreadWorld.Run(ranks, world => choices[world.Rank] = Choose(link, backend, world));
        return choices;
    }

    private static (ITensorLinkFactory?, string?) Choose(LinkKind link, string backend, ICommunicator world)
    {
        using var ops = TestLibTorch.Factory(backend).Create(new BackendOptions(1, world.Rank, world.Size, DType.F32));
        return TensorLinks.Choose(link, world, ops);
    }
}
