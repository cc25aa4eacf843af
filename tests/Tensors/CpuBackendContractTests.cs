using Harness.Tensors;
using Harness.Tensors.Cpu;
using Harness.Tests.Contracts;

namespace Harness.Tests.Tensors;

/// <summary>The contract in every vector width of this processor, and with more threads than the machine may have cores.</summary>
[TestFixtureSource(typeof(VectorWidthTests), nameof(VectorWidthTests.Executed)), Parallelizable]
internal sealed class CpuBackendContractTests(VectorWidth width, int threads) : TensorBackendContract
{
    protected override ITensorBackend NewBackend() => new CpuBackend(new BackendOptions(threads, 0, 1, DType.F32), width);
}

/// <summary>Which widths the contract is tried in.</summary>
internal static class VectorWidthTests
{
    private static readonly (VectorWidth Width, int Threads)[] s_all =
    [
        (VectorWidth.Bits128, 1), (VectorWidth.Bits128, 2), (VectorWidth.Bits256, 1), (VectorWidth.Bits256, 3), (VectorWidth.Bits512, 1),
            (VectorWidth.Bits512, 5),
    ];

    public static IEnumerable<TestFixtureData> Executed =>
        s_all.Where(one => one.Width <= VectorWidths.Widest).Select(one => new TestFixtureData(one.Width, one.Threads));

    /// <summary>Says once what the contract was not tried in.</summary>
    [Test]
    public static void EveryWidthIsTried()
    {
        var missing = s_all.Select(one => one.Width).Distinct().Where(width => width > VectorWidths.Widest).ToList();
        if (missing.Count > 0) Assert.Ignore(
            $"this processor has no {string.Join(" and no ", missing.Select(width => width.Label()))}: the CPU backend's contract was not "
            + "tried in it");
    }
}
