using Harness.Tensors;
using Harness.Tests.Contracts;

namespace Harness.Tests.TorchSharp;

/// <summary>The tensor contract over libtorch in float32, with one rank's threads and with several.</summary>
[TestFixture(1)]
[TestFixture(2)]
internal sealed class TorchBackendTests(int threads) : TensorBackendContract
{
    protected override ITensorBackend NewBackend() => TestLibTorch.Backend.Create(new BackendOptions(threads, 0, 1, DType.F32));
}
