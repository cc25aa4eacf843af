using System.Runtime.InteropServices;
using System.Text;

namespace Harness.TorchSharp.Loading;

/// <summary>
/// What TorchSharp does not offer and the driver library does: whether there are devices before libtorch is loaded, a device's name and
/// memory, and making a device current for a thread. The runtime API takes the device of the current driver context as its own.
/// </summary>
internal static partial class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const int NoDevice = 100;   // CUDA_ERROR_NO_DEVICE

    /// <summary>The highest CUDA version that the driver knows; null without a driver.</summary>
    public static CudaVersion? Version
    {
        get
        {
            try
            {
                return cuDriverGetVersion(out var version) == 0 ? new CudaVersion(version) : null;
            }
            catch (DllNotFoundException)
            {
                return null;
            }
        }
    }

    /// <summary>Devices that this process may use, after CUDA_VISIBLE_DEVICES.</summary>
    /// <param name="obstacle">Why there is none; empty where there is one.</param>
    public static int Devices(out string obstacle)
    {
        try
        {
            int count = 0, status = cuInit(0);
            if (status == 0) status = cuDeviceGetCount(out count);
            var hidden = Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { } visible
                ? $" (CUDA_VISIBLE_DEVICES is '{visible}')" : "";
            obstacle = status is not (0 or NoDevice) ? $"no CUDA device: the driver gives the error {status}{hidden}"
                : count == 0 ? $"no CUDA device: the driver shows none{hidden}" : "";
            return count;
        }
        catch (DllNotFoundException)
        {
            obstacle = $"no CUDA device: {Library} is not installed";
            return 0;
        }
    }

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

    [LibraryImport(Library)]
    private static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    private static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    private static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetName([Out] byte[] name, int length, int device);

    [LibraryImport(Library)]
    private static partial int cuDeviceTotalMem_v2(out nuint bytes, int device);

    [LibraryImport(Library)]
    private static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    private static partial int cuCtxSetCurrent(nint context);
}
