using System.Runtime.InteropServices;

namespace Harness.Energy.AmdSmi;

/// <summary>amdsmi.h, <c>amdsmi_status_t</c>.</summary>
internal enum AmdSmiStatus { Success = 0, NotSupported = 2 }

/// <summary>
/// The handful of entry points of AMD's system management interface that the harness needs, bound at run time. Only what has kept its
/// layout in all versions, or says in which it changed, is used; the rest of a device is read from the kernel's own files
/// (<see cref="AmdGpuFiles"/>).
/// </summary>
internal sealed unsafe class AmdSmiLibrary : IDisposable
{
    /// <summary>Names the library to load in place of <see cref="DefaultName"/>.</summary>
    public const string PathVariable = "HARNESS_AMDSMI_LIBRARY";
    public const string DefaultName = "libamd_smi.so";

    private const ulong AmdGpus = 1 << 1;                 // AMDSMI_INIT_AMD_GPUS
    private const uint Hotspot = 1, Current = 0;          // AMDSMI_TEMPERATURE_TYPE_HOTSPOT, AMDSMI_TEMP_CURRENT
    private const int LargestStructure = 8192;            // above what any version writes

    /// <summary>
    /// Where <c>amdsmi_power_info_t</c> holds the two powers, in bytes: first the average alone, then the current one before it, since 25
    /// both behind a 64-bit field that virtualisation hosts fill.
    /// </summary>
    private static readonly (int UntilMajor, int? CurrentAt, int AverageAt)[] s_powerLayouts =
        [(23, null, 0), (24, 0, 4), (int.MaxValue, 8, 12)];

    private readonly nint _library;
    private readonly delegate* unmanaged<nint, ulong*, float*, ulong*, AmdSmiStatus> _energyCount;
    private readonly delegate* unmanaged<nint, byte*, AmdSmiStatus> _powerInfo;
    private readonly delegate* unmanaged<nint, uint, uint, long*, AmdSmiStatus> _temperature;
    private readonly delegate* unmanaged<nint, byte*, AmdSmiStatus> _violations;
    private readonly (int UntilMajor, int? CurrentAt, int AverageAt) _powerLayout;

    private AmdSmiLibrary(nint library)
    {
        _library = library;
        _energyCount = (delegate* unmanaged<nint, ulong*, float*, ulong*, AmdSmiStatus>)Export("amdsmi_get_energy_count");
        _powerInfo = (delegate* unmanaged<nint, byte*, AmdSmiStatus>)Export("amdsmi_get_power_info");
        _temperature = (delegate* unmanaged<nint, uint, uint, long*, AmdSmiStatus>)Export("amdsmi_get_temp_metric");
        _violations = (delegate* unmanaged<nint, byte*, AmdSmiStatus>)Export("amdsmi_get_violation_status");
        Version = ReadVersion();
        _powerLayout = s_powerLayouts.First(layout => Version.Major <= layout.UntilMajor);
    }

    /// <summary>The first number was the year (23, 24) and counts on from there (25 with ROCm 6.4, 26 with 7.0).</summary>
    public (int Major, int Minor) Version { get; }

    /// <summary>
    /// Loads and initialises. Null, with the reason and its remedy, where there is no library, no driver or no permission.
    /// </summary>
    /// <param name="path">Null or empty: what <see cref="PathVariable"/> says, else <see cref="DefaultName"/>.</param>
    public static AmdSmiLibrary? TryOpen(string? path, out string? whyNot)
    {
        if (string.IsNullOrEmpty(path)) path = Environment.GetEnvironmentVariable(PathVariable);
        if (string.IsNullOrEmpty(path)) path = DefaultName;
        if (!NativeLibrary.TryLoad(path, out var library))
        {
            whyNot = $"AMD SMI: {path} was not found or not loadable; load a ROCm module, or name the library in {PathVariable}";
            return null;
        }
        var initialise = (delegate* unmanaged<ulong, AmdSmiStatus>)Export(library, "amdsmi_init");
        var status = initialise == null ? AmdSmiStatus.NotSupported : initialise(AmdGpus);
        if (status == AmdSmiStatus.Success)
        {
            whyNot = null;
            return new AmdSmiLibrary(library);
        }
        whyNot = $"AMD SMI: {path} does not start: {Describe(library, status)}; see whether amd-smi works on this node";
        NativeLibrary.Free(library);
        return null;
    }

    /// <summary>Every GPU of the node by its PCI address, with the handle that the library knows it by.</summary>
    public IReadOnlyList<(string PciAddress, nint Handle)> Devices()
    {
        var sockets = (delegate* unmanaged<uint*, nint*, AmdSmiStatus>)Export("amdsmi_get_socket_handles");
        var processors = (delegate* unmanaged<nint, uint*, nint*, AmdSmiStatus>)Export("amdsmi_get_processor_handles");
        var address = (delegate* unmanaged<nint, ulong*, AmdSmiStatus>)Export("amdsmi_get_gpu_device_bdf");
        if (sockets == null || processors == null || address == null) return [];
        uint count = 0;
        if (sockets(&count, null) != AmdSmiStatus.Success) return [];
        var handles = new nint[count];
        fixed (nint* all = handles)
            if (sockets(&count, all) != AmdSmiStatus.Success) return [];
        var devices = new List<(string, nint)>();
        foreach (var socket in handles)
        {
            uint inSocket = 0;
            if (processors(socket, &inSocket, null) != AmdSmiStatus.Success) continue;
            var ofSocket = new nint[inSocket];
            fixed (nint* all = ofSocket)
                if (processors(socket, &inSocket, all) != AmdSmiStatus.Success) continue;
            foreach (var handle in ofSocket)
            {
                ulong bdf;
                if (address(handle, &bdf) == AmdSmiStatus.Success) devices.Add((PciAddress(bdf), handle));
            }
        }
        return devices;
    }

    /// <summary>Its UUID as amd-smi prints it; empty where there is none.</summary>
    public string Uuid(nint device)
    {
        var get = (delegate* unmanaged<nint, uint*, byte*, AmdSmiStatus>)Export("amdsmi_get_gpu_device_uuid");
        uint length = 96;
        var text = stackalloc byte[96];
        return get != null && get(device, &length, text) == AmdSmiStatus.Success ? Marshal.PtrToStringUTF8((nint)text) ?? "" : "";
    }

    /// <summary>J since the driver was loaded: the accumulator times its resolution in µJ.</summary>
    public double? ReadJoules(nint device)
    {
        ulong accumulator, timestamp;
        float resolution;
        return _energyCount != null && _energyCount(device, &accumulator, &resolution, &timestamp) == AmdSmiStatus.Success
            && accumulator != ulong.MaxValue && resolution > 0 ? accumulator * (double)resolution * 1e-6 : null;
    }

    /// <summary>W now where the device tells, else the mean that it tells; null where it tells neither.</summary>
    public (double? Watts, PowerField Field) ReadWatts(nint device)
    {
        var info = stackalloc byte[LargestStructure];
        if (_powerInfo == null || _powerInfo(device, info) != AmdSmiStatus.Success) return default;
        if (_powerLayout.CurrentAt is { } at && Told(*(uint*)(info + at)) is { } now) return (now, PowerField.Instant);
        return (Told(*(uint*)(info + _powerLayout.AverageAt)), PowerField.Unspecified);
    }

    /// <summary>°C of the hottest place.</summary>
    public int? ReadTemperature(nint device)
    {
        long celsius;
        return _temperature != null && _temperature(device, Hotspot, Current, &celsius) == AmdSmiStatus.Success ? (int)celsius : null;
    }

    /// <summary>
    /// How often limits held the device back so far. MI300 and later tell it; the call takes a tenth of a second, in which the library
    /// sleeps.
    /// </summary>
    public AmdViolations? ReadViolations(nint device)
    {
        var info = stackalloc byte[LargestStructure];
        if (_violations == null || _violations(device, info) != AmdSmiStatus.Success) return null;
        var counts = (ulong*)info;                        // two times and the counter of looks come first
        return new(counts[3], counts[4], counts[5], counts[6], counts[7]);
    }

    public void Dispose()
    {
        var shutDown = (delegate* unmanaged<AmdSmiStatus>)Export("amdsmi_shut_down");
        if (shutDown != null) shutDown();
        NativeLibrary.Free(_library);
    }

    /// <summary>All ones, or in older versions their lower half, stand for what a device does not tell.</summary>
    private static double? Told(uint watts) => watts is uint.MaxValue or ushort.MaxValue ? null : watts;

    /// <summary>amdsmi_bdf_t: function 3 bits, device 5, bus 8, domain 48.</summary>
    private static string PciAddress(ulong bdf) => $"{bdf >> 16:x4}:{(bdf >> 8) & 0xff:x2}:{(bdf >> 3) & 0x1f:x2}.{bdf & 7:x}";

    private (int, int) ReadVersion()
    {
        var get = (delegate* unmanaged<uint*, AmdSmiStatus>)Export("amdsmi_get_lib_version");
        var numbers = stackalloc uint[8];                 // three or four numbers, and a pointer to text
        return get != null && get(numbers) == AmdSmiStatus.Success ? ((int)numbers[0], (int)numbers[1]) : (0, 0);
    }

    private static string Describe(nint library, AmdSmiStatus status)
    {
        var get = (delegate* unmanaged<AmdSmiStatus, byte**, AmdSmiStatus>)Export(library, "amdsmi_status_code_to_string");
        byte* text = null;
        return get != null && get(status, &text) == AmdSmiStatus.Success ? $"{Marshal.PtrToStringUTF8((nint)text)} (AMD SMI {(int)status})"
            : $"error {(int)status}";
    }

    private nint Export(string name) => Export(_library, name);

    private static nint Export(nint library, string name) => NativeLibrary.TryGetExport(library, name, out var address) ? address : 0;
}

/// <summary>How often each limit held a device back, ever since; all ones: it does not tell.</summary>
internal readonly record struct AmdViolations(ulong ProcessorHot, ulong PackagePower, ulong SocketThermal, ulong RegulatorThermal,
    ulong MemoryThermal)
{
    /// <summary>
    /// Bits of <see cref="ThrottleReasons"/> for what happened between an earlier look and this one; null where nothing is told.
    /// </summary>
    public ulong? Since(AmdViolations earlier)
    {
        ulong?[] bits =
        [
            Risen(earlier.ProcessorHot, ProcessorHot, ThrottleReasons.HardwareSlowdown),
            Risen(earlier.PackagePower, PackagePower, ThrottleReasons.SoftwarePowerCap),
            Risen(earlier.SocketThermal, SocketThermal, ThrottleReasons.HardwareThermalSlowdown),
            Risen(earlier.RegulatorThermal, RegulatorThermal, ThrottleReasons.HardwareThermalSlowdown),
            Risen(earlier.MemoryThermal, MemoryThermal, ThrottleReasons.HardwareThermalSlowdown),
        ];
        return bits.All(bit => bit == null) ? null : bits.Aggregate(0UL, (all, bit) => all | (bit ?? 0));
    }

    private static ulong? Risen(ulong before, ulong now, ulong bit) =>
        before == ulong.MaxValue || now == ulong.MaxValue ? null : now > before ? bit : 0;
}
