using Harness.Common;
using Harness.Sharding;
using Harness.Tensors;
using Harness.TorchSharp.Loading;

namespace Harness.TorchSharp;

/// <summary>All that the rest of the program knows of TorchSharp.</summary>
public static class Torch
{
    /// <summary>CUDA devices that the driver shows this process. libtorch is not touched.</summary>
    /// <param name="obstacle">Why there is none; empty where there is one.</param>
    public static int CudaDevices(out string obstacle) => CudaDriver.Devices(out obstacle);

    /// <summary>Loads libtorch, and asks it for its devices.</summary>
    /// <param name="folder">As <c>--libtorch</c> names it; empty for one beside the program or on the linker's path.</param>
    /// <exception cref="UserErrorException">No libtorch, or one that does not load; one line with the remedy.</exception>
    public static LibTorchFacts Examine(string folder)
    {
        var library = LibTorch.Load(folder);
        var devices = library.Devices;
        return new(library.Description, [.. Enumerable.Range(0, devices).Select(CudaDriver.Name)], devices > 0 ? null : Obstacle(library));
    }

    /// <summary><c>--backend torch</c>.</summary>
    /// <inheritdoc cref="Examine"/>
    public static ITensorBackendFactory Backend(string folder) => new TorchBackendFactory(LibTorch.Load(folder));

    /// <summary><c>--link nccl</c>.</summary>
    public static ITensorLinkFactory NcclLink() => new NcclLinkFactory();

    /// <summary>Why libtorch computes on no CUDA device.</summary>
    private static string Obstacle(LibTorch library)
    {
        if (!library.HasCuda) return $"{library.Name} knows no CUDA; name one for CUDA with --libtorch, or build with -p:LibTorch=cuda";
        if (CudaDriver.Devices(out var obstacle) == 0) return obstacle;
        if (library.Cuda is { } cuda && CudaDriver.Version is { } driver && driver.Major < cuda.Major)
            return $"{library.Name} needs a driver that knows CUDA {cuda.Major}, and this one knows CUDA {driver}; "
                + $"update the driver, or name a libtorch for CUDA {driver.Major} with --libtorch";
        return $"{library.Name} sees none of the driver's devices";
    }

    private sealed class TorchBackendFactory(LibTorch library) : ITensorBackendFactory
    {
        public string Name => TorchBackend.Word;

        public ITensorBackend Create(BackendOptions options) => new TorchBackend(library, options);
    }
}
