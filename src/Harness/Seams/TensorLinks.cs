using Harness.Common;
using Harness.Configuration;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Seams;

/// <summary>How tensors travel between ranks, by what <c>--link</c> names.</summary>
internal static class TensorLinks
{
    /// <summary>The same choice on every rank: all call together, and one rank that cannot use NCCL decides for all.</summary>
    /// <returns>The factory, or null for host memory; and, where auto would have liked NCCL for this backend, what stood in its
    /// way.</returns>
    /// <exception cref="UserErrorException">nccl was asked for, and some rank cannot use it.</exception>
    public static (ITensorLinkFactory? Factory, string? Obstacle) Choose(LinkKind kind, ICommunicator world, ITensorBackend backend)
    {
        if (kind == LinkKind.Host || world.Size == 1 || (kind == LinkKind.Auto && backend.Name != Backends.Torch)) return default;
        ITensorLinkFactory? factory = null;
        var way = kind == LinkKind.Auto ? "" : ", or use --link host";
        try
        {
            LaunchChecks.OnEveryRank(world, () =>
            {
                factory = TorchSharp.Torch.NcclLink();
                return factory.Obstacle(backend) is { } obstacle ? throw new UserErrorException($"link 'nccl': {obstacle}{way}") : true;
            });
            return (factory, null);
        }
        catch (UserErrorException e) when (kind == LinkKind.Auto)
        {
            return (null, e.Message);
        }
    }
}
