using Harness.Common;
using Harness.Tensors;
using Harness.TorchSharp;
using Harness.TorchSharp.Loading;

namespace Harness.Bench.Torch;

/// <summary>The device's allocator really runs dry: what is said then, and whether the memory comes back.</summary>
internal static class DeviceExhaustion
{
    private const int Capacity = 4096;
    private static readonly AttentionHeads s_heads = new(32, 32, 128, new float[64]);

    /// <exception cref="UserErrorException">The cache was granted, or a small one was not granted afterwards.</exception>
    public static void Provoke(LibTorch library)
    {
        using var ops = new TorchBackend(library, new BackendOptions(0, 0, 1, DType.BF16));
        // On a GPU layer after layer until nothing is left. A host grants memory that it does not have, up to the address space.
        var (layers, wanted) = ops.Ordinal >= 0 ? (32, 10 * (ops.MemoryBytes ?? 1L << 40)) : (1, 1L << 50);
        var slotBytes = 2L * layers * s_heads.KeyValues * s_heads.Dimension * Capacity * DType.BF16.Bytes();
        try
        {
            using var cache = ops.NewKvCache(layers, checked((int)(wanted / slotBytes)), Capacity, s_heads);
        }
        catch (DeviceMemoryException e)
        {
            Console.WriteLine(e.Message);
            using var cache = ops.NewKvCache(layers, 1, Capacity, s_heads);
            ops.Synchronize();
            Console.WriteLine($"afterwards {cache.Bytes / 1e9:F2} GB of it are granted");
            return;
        }
        throw new UserErrorException($"{ops.Device} granted {wanted / 1e9:F0} GB of key/value cache, which it cannot have");
    }
}
