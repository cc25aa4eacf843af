using Harness.Common;
using Harness.Planning;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Planning;

[TestFixture]
public sealed class RankMemoryTests
{
    private static readonly MemoryPlan s_plan =
        new() { TensorRank = 0, Stage = 0, WeightBytes = 12L << 30, KvCacheBytes = 3L << 30, ActivationBytes = 1L << 30 };

    [Test]
    public void RunningOutIsExplainedByThePlan()
    {
        var memory = new RankMemory(s_plan, 5);
        foreach (var failure in new Exception[] { new DeviceMemoryException("cuda:1 has no room for 2.00 GB of weights"),
            new OutOfMemoryException("Insufficient memory.") })
            Assert.That(() => memory.Place<int>(() => throw failure), Throws.TypeOf<UserErrorException>().With.Message.Contains(
                $"{failure.Message.TrimEnd('.')}; by the plan rank 5 needs {s_plan}; use more ranks (--tp, --pp)"));
        Assert.That(() => memory.Place<int>(() => throw new InvalidDataException()), Throws.TypeOf<InvalidDataException>(),
            "anything else passes");
        Assert.That(memory.Place(() => 7), Is.EqualTo(7));
    }

    [Test]
    public void ARankThatNeedsMoreThanThereIsIsRefused()
    {
        using var backend = new CpuBackend(new(1, 0, 1, DType.F32));
        Assert.That(backend.MemoryBytes, Is.GreaterThan(1L << 28));
        Assert.That(() => new RankMemory(s_plan with { WeightBytes = backend.MemoryBytes!.Value }, 3).MustFit(backend),
            Throws.TypeOf<UserErrorException>().With.Message.Match(@"rank 3 needs weights .* = .*, but .* has .* for it; use more ranks"));
        Assert.That(() => new RankMemory(new() { TensorRank = 0, Stage = 0, WeightBytes = 1, KvCacheBytes = 1, ActivationBytes = 1 }, 3)
            .MustFit(backend), Throws.Nothing);
    }

    /// <summary>130 GB of weights, refused before the first of them is made.</summary>
    [Test]
    public void AModelThatCannotFitIsRefusedBeforeItIsLoaded()
    {
        if (HostMemory.Bytes > 110L << 30) Assert.Ignore("this machine has room for 65 billion parameters");
        using var scratch = new ScratchDirectory();
        var result = HarnessProcess.Run(scratch.Path, "run", "--model", "synthetic:65b", "--dtype", "bf16", "--limit", "1",
            "--max-new-tokens", "1", "--meter", "none");
        Assert.That(result.ExitCode, Is.EqualTo(1), result.Error);
        Assert.That(result.Error.TrimEnd().Split('\n')[^1],
            Does.Match(@"^harness: rank 0 needs weights 121.* GiB .* use more ranks \(--tp, --pp\)"));
    }
}
