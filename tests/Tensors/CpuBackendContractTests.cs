using Harness.Tensors;
using Harness.Tensors.Cpu;
using Harness.Tests.Contracts;

namespace Harness.Tests.Tensors;

/// <summary>The contract in every vector width and with more threads than the machine may have cores.</summary>
[TestFixture(VectorWidth.Bits128, 1)]
[TestFixture(VectorWidth.Bits128, 2)]
[TestFixture(VectorWidth.Bits256, 1)]
[TestFixture(VectorWidth.Bits256, 3)]
[TestFixture(VectorWidth.Bits512, 1)]
[TestFixture(VectorWidth.Bits512, 5)]
internal sealed class CpuBackendContractTests(VectorWidth width, int threads) : TensorBackendContract
{
    protected override ITensorBackend NewBackend()
    {
        if (width > VectorWidths.Widest) Assert.Ignore($"this processor has no {width.Label()}: not run");
        return new CpuBackend(new BackendOptions(threads, 0, 1, DType.F32), width);
    }
}
