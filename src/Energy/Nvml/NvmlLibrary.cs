using System.Runtime.InteropServices;
using System.Text;

namespace Harness.Energy.Nvml;

/// <summary>
/// The handful of entry points of NVIDIA's management library that the harness needs, bound at run time. Versions of the library lack
/// some of them.
/// </summary>
internal sealed unsafe class NvmlLibrary : IDisposable
{
    /// <summary>Names the library to load in place of <see cref="DefaultName"/>.</summary>
    public const string PathVariable = "HARNESS_NVML_LIBRARY";
    public const string DefaultName = "libnvidia-ml.so.1";

    private readonly nint _library;
    private readonly delegate* unmanaged<int, byte*> _errorString;

    /// <summary>What was loaded, as <see cref="Resolve"/> gives it.</summary>
    public string Path { get; }

    private NvmlLibrary(nint library, string path)
    {
        (_library, Path) = (library, path);
        _errorString = (delegate* unmanaged<int, byte*>)Export("nvmlErrorString");
        GetFieldValues = (delegate* unmanaged<nint, int, NvmlFieldValue*, NvmlReturn>)Export("nvmlDeviceGetFieldValues");
        GetTotalEnergyConsumption = (delegate* unmanaged<nint, ulong*, NvmlReturn>)Export("nvmlDeviceGetTotalEnergyConsumption");
        GetPowerUsage = (delegate* unmanaged<nint, uint*, NvmlReturn>)Export("nvmlDeviceGetPowerUsage");
        GetTemperature = (delegate* unmanaged<nint, uint, uint*, NvmlReturn>)Export("nvmlDeviceGetTemperature");
        GetTemperatureV = (delegate* unmanaged<nint, NvmlTemperature*, NvmlReturn>)Export("nvmlDeviceGetTemperatureV");
        GetClockInfo = (delegate* unmanaged<nint, uint, uint*, NvmlReturn>)Export("nvmlDeviceGetClockInfo");
        GetClocksEventReasons = (delegate* unmanaged<nint, ulong*, NvmlReturn>)Export(
            "nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons");
        GetPowerLimit = (delegate* unmanaged<nint, uint*, NvmlReturn>)Export("nvmlDeviceGetPowerManagementLimit");
        GetDefaultPowerLimit = (delegate* unmanaged<nint, uint*, NvmlReturn>)Export("nvmlDeviceGetPowerManagementDefaultLimit");
        GetPowerLimitConstraints =
            (delegate* unmanaged<nint, uint*, uint*, NvmlReturn>)Export("nvmlDeviceGetPowerManagementLimitConstraints");
        SetPowerLimit = (delegate* unmanaged<nint, uint, NvmlReturn>)Export("nvmlDeviceSetPowerManagementLimit");
        SetLockedClocks = (delegate* unmanaged<nint, uint, uint, NvmlReturn>)Export("nvmlDeviceSetGpuLockedClocks");
        ResetLockedClocks = (delegate* unmanaged<nint, NvmlReturn>)Export("nvmlDeviceResetGpuLockedClocks");
        GetUtilization = (delegate* unmanaged<nint, NvmlUtilization*, NvmlReturn>)Export("nvmlDeviceGetUtilizationRates");
        GetMemory = (delegate* unmanaged<nint, NvmlMemory*, NvmlReturn>)Export("nvmlDeviceGetMemoryInfo");
        GetMigMode = (delegate* unmanaged<nint, uint*, uint*, NvmlReturn>)Export("nvmlDeviceGetMigMode");
        GetComputeProcesses = (delegate* unmanaged<nint, uint*, NvmlProcessInfo*, NvmlReturn>)Export(
            "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2");
        GetArchitecture = (delegate* unmanaged<nint, uint*, NvmlReturn>)Export("nvmlDeviceGetArchitecture");
        GetParentOfMigDevice = (delegate* unmanaged<nint, nint*, NvmlReturn>)Export("nvmlDeviceGetDeviceHandleFromMigDeviceHandle");
        GetPciInfo = (delegate* unmanaged<nint, NvmlPciInfo*, NvmlReturn>)Export("nvmlDeviceGetPciInfo_v3");
        GetName = (delegate* unmanaged<nint, byte*, uint, NvmlReturn>)Export("nvmlDeviceGetName");
        GetUuid = (delegate* unmanaged<nint, byte*, uint, NvmlReturn>)Export("nvmlDeviceGetUUID");
    }

    // Null where the loaded library has no such entry point: whoever calls one looks first.
    public readonly delegate* unmanaged<nint, int, NvmlFieldValue*, NvmlReturn> GetFieldValues;
    public readonly delegate* unmanaged<nint, ulong*, NvmlReturn> GetTotalEnergyConsumption;
    public readonly delegate* unmanaged<nint, uint*, NvmlReturn> GetPowerUsage;
    public readonly delegate* unmanaged<nint, uint, uint*, NvmlReturn> GetTemperature;
    public readonly delegate* unmanaged<nint, NvmlTemperature*, NvmlReturn> GetTemperatureV;
    public readonly delegate* unmanaged<nint, uint, uint*, NvmlReturn> GetClockInfo;
    public readonly delegate* unmanaged<nint, ulong*, NvmlReturn> GetClocksEventReasons;
    public readonly delegate* unmanaged<nint, uint*, NvmlReturn> GetPowerLimit;
    public readonly delegate* unmanaged<nint, uint*, NvmlReturn> GetDefaultPowerLimit;
    public readonly delegate* unmanaged<nint, uint*, uint*, NvmlReturn> GetPowerLimitConstraints;
    public readonly delegate* unmanaged<nint, uint, NvmlReturn> SetPowerLimit;
    public readonly delegate* unmanaged<nint, uint, uint, NvmlReturn> SetLockedClocks;
    public readonly delegate* unmanaged<nint, NvmlReturn> ResetLockedClocks;
    public readonly delegate* unmanaged<nint, NvmlUtilization*, NvmlReturn> GetUtilization;
    public readonly delegate* unmanaged<nint, NvmlMemory*, NvmlReturn> GetMemory;
    public readonly delegate* unmanaged<nint, uint*, uint*, NvmlReturn> GetMigMode;
    public readonly delegate* unmanaged<nint, uint*, NvmlProcessInfo*, NvmlReturn> GetComputeProcesses;
    public readonly delegate* unmanaged<nint, uint*, NvmlReturn> GetArchitecture;
    public readonly delegate* unmanaged<nint, nint*, NvmlReturn> GetParentOfMigDevice;
    public readonly delegate* unmanaged<nint, NvmlPciInfo*, NvmlReturn> GetPciInfo;
    public readonly delegate* unmanaged<nint, byte*, uint, NvmlReturn> GetName;
    public readonly delegate* unmanaged<nint, byte*, uint, NvmlReturn> GetUuid;

    /// <summary>
    /// Loads and initialises. Null, with the reason and its remedy, where there is no library, no driver or no permission.
    /// </summary>
    public static NvmlLibrary? TryOpen(string? path, out string? whyNot)
    {
        path = Resolve(path);
        if (!NativeLibrary.TryLoad(path, out var library))
        {
            whyNot = $"NVML: {path} was not found or not loadable; install the NVIDIA driver, or name the library in {PathVariable}";
            return null;
        }
        var nvml = new NvmlLibrary(library, path);
        var initialise = (delegate* unmanaged<NvmlReturn>)nvml.Export("nvmlInit_v2");
        var result = initialise == null ? NvmlReturn.FunctionNotFound : initialise();
        if (result == NvmlReturn.Success)
        {
            whyNot = null;
            return nvml;
        }
        whyNot = $"NVML: {path} does not start: {nvml.Describe(result)}; see whether nvidia-smi works on this node";
        NativeLibrary.Free(library);
        return null;
    }

    /// <summary>An absolute path, or the name that the dynamic linker resolves.</summary>
    /// <param name="path">Null or empty: what <see cref="PathVariable"/> says, else <see cref="DefaultName"/>.</param>
    public static string Resolve(string? path)
    {
        if (string.IsNullOrEmpty(path)) path = Environment.GetEnvironmentVariable(PathVariable);
        return string.IsNullOrEmpty(path) ? DefaultName : path.Contains('/') ? System.IO.Path.GetFullPath(path) : path;
    }

    public string Describe(NvmlReturn result)
    {
        if (result == NvmlReturn.FunctionNotFound) return "this version of the library lacks the function";
        var text = _errorString == null ? null : Marshal.PtrToStringUTF8((nint)_errorString((int)result));
        return $"{text ?? "error"} (NVML {(int)result})";
    }

    public string DriverVersion()
    {
        var get = (delegate* unmanaged<byte*, uint, NvmlReturn>)Export("nvmlSystemGetDriverVersion");
        var text = stackalloc byte[80];
        return get != null && get(text, 80) == NvmlReturn.Success ? Text(text, 80) : "";
    }

    public int DeviceCount()
    {
        var get = (delegate* unmanaged<uint*, NvmlReturn>)Export("nvmlDeviceGetCount_v2");
        uint count = 0;
        return get != null && get(&count) == NvmlReturn.Success ? (int)count : 0;
    }

    public NvmlReturn TryGetByIndex(int index, out nint device)
    {
        var get = (delegate* unmanaged<uint, nint*, NvmlReturn>)Export("nvmlDeviceGetHandleByIndex_v2");
        nint handle = 0;
        var result = get == null ? NvmlReturn.FunctionNotFound : get((uint)index, &handle);
        device = handle;
        return result;
    }

    public NvmlReturn TryGetByUuid(string uuid, out nint device)
    {
        var get = (delegate* unmanaged<byte*, nint*, NvmlReturn>)Export("nvmlDeviceGetHandleByUUID");
        nint handle = 0;
        NvmlReturn result;
        fixed (byte* text = Encoding.UTF8.GetBytes(uuid + '\0'))
            result = get == null ? NvmlReturn.FunctionNotFound : get(text, &handle);
        device = handle;
        return result;
    }

    public string DeviceText(delegate* unmanaged<nint, byte*, uint, NvmlReturn> get, nint device)
    {
        var text = stackalloc byte[96];
        return get != null && get(device, text, 96) == NvmlReturn.Success ? Text(text, 96) : "";
    }

    private static string Text(byte* text, int capacity)
    {
        var span = new ReadOnlySpan<byte>(text, capacity);
        var end = span.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? span : span[..end]);
    }

    private nint Export(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
            if (NativeLibrary.TryGetExport(_library, name, out var address)) return address;
        return 0;
    }

    public void Dispose()
    {
        var shutdown = (delegate* unmanaged<NvmlReturn>)Export("nvmlShutdown");
        if (shutdown != null) shutdown();
        NativeLibrary.Free(_library);
    }
}
