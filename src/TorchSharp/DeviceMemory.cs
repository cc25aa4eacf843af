using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Tensors;

namespace Harness.TorchSharp;

/// <summary>What this rank has put on its device, so that running out of memory can be explained.</summary>
internal sealed class DeviceMemory(string device)
{
    private const double GB = 1e9;

    public long Weights { get; set; }
    public long Caches { get; set; }

    /// <exception cref="DeviceMemoryException">There is no room; the message names what is there and what was wanted.</exception>
    public T Allocate<T>(string purpose, long bytes, Func<T> allocation)
    {
        try
        {
            return allocation();
        }
        catch (ExternalException e) when (Exhausted(e.Message))
        {
            throw new DeviceMemoryException(string.Create(CultureInfo.InvariantCulture,
                $"{device} has no room for {bytes / GB:0.00} GB of {purpose} beside {Weights / GB:0.00} GB of weights and {Caches / GB:0.00} GB of key/value cache of this rank"), e);
        }
    }

    /// <summary>libtorch's CUDA allocator and its CPU allocator in their own words.</summary>
    private static bool Exhausted(string message) =>
        message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
            || message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase)
        || message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase);
}
