using System.Runtime.InteropServices;
using System.Text;

namespace Harness.PlugIns.TorchSharp;

/// <summary>
/// The three things that TorchSharp does not offer and the driver library does: a device's name, its memory, and
/// making a device current for a thread. The runtime API takes the device of the current driver context as its own.
/// </summary>
internal static partial class CudaDriver
{
    public static string Name(int ordinal)
    {
        var name = new byte[256];
        return cuInit(0) == 0 && cuDeviceGet(out var device, ordinal) == 0 && cuDeviceGetName(name, name.Length, device) == 0
            ? Encoding.UTF8.GetString(name.AsSpan(0, Math.Max(0, Array.IndexOf(name, (byte)0)))) : "CUDA device";
    }

    /// <summary>All of a device's memory; null where the driver does not say.</summary>
    public static long? MemoryBytes(int ordinal) =>
        cuInit(0) == 0 && cuDeviceGet(out var device, ordinal) == 0 && cuDeviceTotalMem_v2(out var bytes, device) == 0 ? (long)bytes : null;

    /// <summary>Makes the device current for the calling thread: libraries without a device argument use it.</summary>
    /// <exception cref="InvalidOperationException">The driver refuses.</exception>
    public static void MakeCurrent(int ordinal)
    {
        int status;
        if ((status = cuInit(0)) != 0 || (status = cuDeviceGet(out var device, ordinal)) != 0
            || (status = cuDevicePrimaryCtxRetain(out var context, device)) != 0 || (status = cuCtxSetCurrent(context)) != 0)
            throw new InvalidOperationException($"CUDA device {ordinal} cannot be made current (driver error {status})");
    }

    [LibraryImport("libcuda.so.1")]
    private static partial int cuInit(uint flags);

    [LibraryImport("libcuda.so.1")]
    private static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport("libcuda.so.1")]
    private static partial int cuDeviceGetName([Out] byte[] name, int length, int device);

    [LibraryImport("libcuda.so.1")]
    private static partial int cuDeviceTotalMem_v2(out nuint bytes, int device);

    [LibraryImport("libcuda.so.1")]
    private static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport("libcuda.so.1")]
    private static partial int cuCtxSetCurrent(nint context);
}
