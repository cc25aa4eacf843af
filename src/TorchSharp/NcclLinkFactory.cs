using Harness.Sharding;
using Harness.Tensors;
using Harness.TorchSharp.Loading;
using Harness.TorchSharp.Nccl;

namespace Harness.TorchSharp;

/// <summary>NCCL between CUDA devices, <c>--link nccl</c>.</summary>
internal sealed class NcclLinkFactory : ITensorLinkFactory
{
    private static readonly Lazy<(NcclLibrary? Library, string? Obstacle)> s_loaded = new(() => Load(NcclLibrary.FileName));

    public string Name => "nccl";

    public string? Obstacle(ITensorBackend backend) => backend switch
    {
        not TorchBackend => $"NCCL moves tensors of --backend torch, not of {backend.Name}",
        TorchBackend { Ordinal: < 0 } => "NCCL moves tensors between CUDA devices, and this rank has none",
        TorchBackend { RanksShareDevices: true } =>
            "NCCL wants a device for each rank, and this node has more ranks than devices; start fewer ranks",
        _ => s_loaded.Value.Obstacle,
    };

    public ITensorLink Create(ICommunicator ranks, ITensorBackend backend)
    {
        var torch = (TorchBackend)backend;
        CudaDriver.MakeCurrent(torch.Ordinal);
        return new NcclLink(s_loaded.Value.Library!, ranks, torch);
    }

    /// <summary>The library, or why there is none.</summary>
    internal static (NcclLibrary? Library, string? Obstacle) Load(string path)
    {
        try
        {
            return (new NcclLibrary(path), null);
        }
        catch (DllNotFoundException)
        {
            return (null, $"{path} was not found; install NCCL (libnccl2) or put its folder into LD_LIBRARY_PATH");
        }
        catch (EntryPointNotFoundException e)
        {
            return (null, $"{path} is too old or is not NCCL ({e.Message.ReplaceLineEndings(" ").Trim()}); install NCCL 2.10 or later");
        }
    }
}
