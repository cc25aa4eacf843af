using System.Runtime.InteropServices;
using DeviceTensor = TorchSharp.torch.Tensor;

namespace Harness.TorchSharp;

/// <summary>The address behind a tensor, which TorchSharp's managed side keeps to itself but its native library exports.</summary>
internal static partial class NativeTensor
{
    /// <summary>First element, in host or device memory. The tensor must be contiguous, and outlive the use of the address.</summary>
    public static nint Address(DeviceTensor tensor) => THSTensor_data(tensor.Handle);

    public static unsafe Span<T> HostValues<T>(DeviceTensor tensor, int count) where T : unmanaged => new((void*)Address(tensor), count);

    [LibraryImport("LibTorchSharp")]
    private static partial nint THSTensor_data(nint tensor);
}
