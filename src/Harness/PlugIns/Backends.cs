using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.PlugIns;

/// <summary>The tensor backends, by the word after <c>--backend</c>.</summary>
internal static class Backends
{
    public static ITensorBackendFactory Find(string name) => name switch
    {
        "cpu" => new CpuBackendFactory(),
        "torch" => PlugIn.Load<ITensorBackendFactory>("Harness.PlugIns.TorchSharp", "backend 'torch'", "-p:WithTorch=cuda (or cpu)"),
        _ => throw new UserErrorException($"backend '{name}' is unknown; use cpu or torch"),
    };
}
