using System.Runtime.InteropServices;

namespace Harness.Energy.Nvml;

/// <summary>The return codes this binding tells apart (nvml.h, <c>nvmlReturn_t</c>).</summary>
internal enum NvmlReturn
{
    Success = 0,
    InvalidArgument = 2,
    NotSupported = 3,
    NoPermission = 4,
    NotFound = 6,
    InsufficientSize = 7,
    FunctionNotFound = 13,
}

/// <summary><c>nvmlFieldValue_t</c>, 40 bytes. The union is read according to <see cref="ValueType"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlFieldValue
{
    public uint FieldId;
    public uint ScopeId;
    public long TimestampMicroseconds;
    public long LatencyMicroseconds;
    public uint ValueType;
    public NvmlReturn Return;
    public ulong Bits;

    /// <summary>The union as an unsigned number; null for an error or a type that is none.</summary>
    public readonly ulong? Unsigned => Return != NvmlReturn.Success ? null : ValueType switch
    {
        1 => (uint)Bits,            // unsigned int
        2 or 3 or 4 => Bits,        // unsigned long, unsigned long long, long long
        5 => (uint)Bits,            // int
        6 => (ushort)Bits,
        _ => null,
    };
}

/// <summary>
/// <c>nvmlPciInfo_t</c>, 68 bytes, of which the first text is read: <c>0008:01:00.0</c>, as sysfs names it but for its case.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NvmlPciInfo
{
    public fixed byte BusIdLegacy[16];
    public fixed uint Numbers[5];
    public fixed byte BusId[32];
}

/// <summary><c>nvmlProcessInfo_t</c> (v2), 24 bytes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlProcessInfo
{
    public uint Pid;
    public ulong UsedGpuMemory;
    public uint GpuInstanceId;
    public uint ComputeInstanceId;
}

/// <summary><c>nvmlMemory_t</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlMemory
{
    public ulong Total;
    public ulong Free;
    public ulong Used;
}

/// <summary><c>nvmlUtilization_t</c>, percent.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlUtilization
{
    public uint Gpu;
    public uint Memory;
}

/// <summary><c>nvmlTemperature_v1_t</c>, which replaces <c>nvmlDeviceGetTemperature</c> from NVML 13 on.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NvmlTemperature
{
    public uint Version;
    public uint Sensor;
    public int Celsius;

    public const uint Version1 = 12 | 1 << 24;   // NVML_STRUCT_VERSION: size and version
}
