using Harness.Common;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.TorchSharp;

/// <summary>In place of all the rest of this project where it was built with <c>-p:TorchSharp=none</c>.</summary>
public static class Torch
{
    private const string LeftOut = "TorchSharp was left out of this build (-p:TorchSharp=none); build without that property";

    /// <summary>None.</summary>
    public static int CudaDevices(out string obstacle)
    {
        obstacle = LeftOut;
        return 0;
    }

    /// <exception cref="UserErrorException">Always.</exception>
    public static LibTorchFacts Examine(string folder) => throw new UserErrorException(LeftOut);

    /// <exception cref="UserErrorException">Always.</exception>
    public static ITensorBackendFactory Backend(string folder) => throw new UserErrorException($"backend 'torch': {LeftOut}");

    /// <exception cref="UserErrorException">Always.</exception>
    public static ITensorLinkFactory NcclLink() => throw new UserErrorException($"link 'nccl': {LeftOut}");
}
