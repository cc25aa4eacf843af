using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>The managed CPU backend, <c>--backend cpu</c>.</summary>
public sealed class CpuBackendFactory : ITensorBackendFactory
{
    public string Name => CpuBackend.Word;

    /// <exception cref="UserErrorException">The number of threads is negative.</exception>
    public ITensorBackend Create(BackendOptions options) => new CpuBackend(options);
}
