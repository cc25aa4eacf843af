using Harness.Common;
using Harness.Configuration;
using Harness.Seams;
using Harness.Sharding.Communicators;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Seams;

/// <summary>Which backend a run takes. What auto says of a machine without a device: <see cref="TorchSharp.LibTorchTests"/>.</summary>
internal sealed class BackendsTests
{
    [Test]
    public void TheWordIsTaken() =>
        Assert.That(Backends.Choose(new RuntimeOptions { Backend = BackendKind.Cpu }, weights: null),
            Has.Property("Name").EqualTo("cpu").And.Property("Reason").EqualTo("asked for").And.Property("LibTorch").Null);

    [Test]
    public void Int8WeightsAreOfTheCpuBackendAlone()
    {
        Assert.That(() => Backends.Choose(new RuntimeOptions { Backend = BackendKind.Torch }, DType.Int8),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
                "--backend torch has no int8 weights; use --backend cpu, or --dtype bf16 or f16"));
        Assert.That(Backends.Choose(new RuntimeOptions(), DType.Int8),
            Has.Property("Name").EqualTo("cpu").And.Property("Reason").EqualTo("--dtype int8 is of the CPU backend alone"));
    }

    [Test]
    public void ACacheIsOfTheTypeThatIsAskedForOrOfTheBackends()
    {
        BackendChoice cpu = new(new CpuBackendFactory(), "x"), torch = new(new OtherFactory(), "y");
        Assert.That(Backends.CacheType(cpu, null, DType.BF16), Is.EqualTo(DType.F32));
        Assert.That(Backends.CacheType(cpu, DType.F16, DType.Int8), Is.EqualTo(DType.F16));
        Assert.That(Backends.CacheType(torch, null, DType.BF16), Is.EqualTo(DType.BF16));
        Assert.That(Backends.CacheType(torch, DType.F16, DType.F16), Is.EqualTo(DType.F16));
        Assert.That(() => Backends.CacheType(torch, DType.F32, DType.BF16), Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
            "--backend torch keeps keys and values in the type of its activations, bf16 here, not in f32; leave --kv-dtype out, or use "
            + "--backend cpu"));
    }

    /// <summary>Rank 1 of three has no device: all end, with one message that names it.</summary>
    [Test]
    public void RanksThatWouldDifferEndTogether()
    {
        var messages = new string[3];
        ThreadWorld.Run(3, world => messages[world.Rank] = Assert.Catch<UserErrorException>(() =>
            Backends.Agree(world, world.Rank == 1 ? new(new CpuBackendFactory(), "no CUDA device: x")
                : new(new OtherFactory(), "y")))!.Message);
        Assert.That(messages, Is.All.EqualTo(messages[0]));
        Assert.That(messages[0], Does.StartWith("--backend auto finds a CUDA device on other ranks and would compute on the CPU here, "
            + "since no CUDA device: x; ").And.EndWith($" (rank 1 on {Environment.MachineName})"));
    }

    [Test]
    public void RanksThatAgreeGoOn() =>
        ThreadWorld.Run(2, world => Assert.That(Backends.Agree(world, new(new CpuBackendFactory(), "x")).IsCpu, Is.True));

    private sealed class OtherFactory : ITensorBackendFactory
    {
        public string Name => Backends.Torch;

        public ITensorBackend Create(BackendOptions options) => throw new InvalidOperationException("nothing is computed here");
    }
}
