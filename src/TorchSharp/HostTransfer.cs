using TorchSharp;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>Small arrays to the device, and results back.</summary>
internal sealed class HostTransfer(torch.Device device)
{
    private readonly bool _cuda = device.type == DeviceType.CUDA;

    /// <summary>
    /// [values], without waiting for the device: a copy from pageable memory would wait for the stream, one from pinned
    /// memory is queued on it, and libtorch's host allocator keeps the pinned block until the copy is done.
    /// </summary>
    public DeviceTensor Upload<T>(ReadOnlySpan<T> values, ScalarType type) where T : unmanaged
    {
        var host = torch.empty(values.Length, dtype: type, device: torch.CPU);
        values.CopyTo(NativeTensor.HostValues<T>(host, values.Length));
        if (!_cuda) return host;
        using (host)
        using (var pinned = host.pin_memory())
            return pinned.to(device, non_blocking: true);
    }

    /// <summary>Waits for the device, and copies what it has computed.</summary>
    public static void Download<T>(DeviceTensor values, Span<T> destination) where T : unmanaged
    {
        using var scope = torch.NewDisposeScope();
        NativeTensor.HostValues<T>(values.contiguous().cpu(), destination.Length).CopyTo(destination);
    }
}
