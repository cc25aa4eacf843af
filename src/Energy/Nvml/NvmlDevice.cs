using System.Globalization;

namespace Harness.Energy.Nvml;

/// <summary>One GPU: every value as a nullable number in SI units, every change with its return code.</summary>
internal sealed unsafe class NvmlDevice
{
    private const uint FieldTotalEnergy = 83, FieldPowerAverage = 185, FieldPowerInstant = 186;   // nvml.h, NVML_FI_DEV_…
    private const uint ScopeGpu = 0, ScopeModule = 1;                                             // nvml.h, NVML_POWER_SCOPE_…
    private const uint ArchitectureAmpere = 7;

    private readonly NvmlLibrary _nvml;
    private readonly nint _handle;
    private readonly PowerField _usageField;
    private readonly (uint Id, PowerField Field)? _moduleField;

    public NvmlDevice(NvmlLibrary nvml, nint handle, bool isMigSlice)
    {
        (_nvml, _handle, IsMigSlice) = (nvml, handle, isMigSlice);
        Uuid = nvml.DeviceText(nvml.GetUuid, handle);
        Name = nvml.DeviceText(nvml.GetName, handle);
        _usageField = FieldOfPowerUsage();
        _moduleField = FieldOfModule();
    }

    public string Uuid { get; }
    public string Name { get; }

    /// <summary>The rank was given a MIG slice of this GPU, not the GPU.</summary>
    public bool IsMigSlice { get; }

    /// <summary>The GPU is part of a superchip whose power is shown, too.</summary>
    public bool ShowsModule => _moduleField != null;

    /// <summary>
    /// Joules since the driver was loaded, and watts with what they mean: the instant field, else the 1-s average, else
    /// whatever <c>nvmlDeviceGetPowerUsage</c> gives; those of a superchip in the same field. One driver call where the field values are
    /// known to the driver.
    /// </summary>
    public void ReadEnergy(out double? joules, out double? watts, out double? moduleWatts, out PowerField? field)
    {
        (joules, watts, moduleWatts, field) = (null, null, null, null);
        if (_nvml.GetFieldValues != null)
        {
            var values = stackalloc NvmlFieldValue[3];
            values[0] = Ask(FieldTotalEnergy, ScopeGpu);
            values[1] = Ask(_moduleField?.Id ?? FieldPowerInstant, ScopeGpu);
            values[2] = _moduleField is { } module ? Ask(module.Id, ScopeModule) : Ask(FieldPowerAverage, ScopeGpu);
            if (_nvml.GetFieldValues(_handle, 3, values) == NvmlReturn.Success)
            {
                joules = values[0].Unsigned * 1e-3;
                if (_moduleField is { } both)
                {
                    (watts, moduleWatts) = (values[1].Unsigned * 1e-3, values[2].Unsigned * 1e-3);
                    field = watts == null && moduleWatts == null ? null : both.Field;
                }
                else if (values[1].Unsigned is { } instant) (watts, field) = (instant * 1e-3, PowerField.Instant);
                else if (values[2].Unsigned is { } average) (watts, field) = (average * 1e-3, PowerField.Average1s);
            }
        }
        ulong millijoules;
        if (joules is null && _nvml.GetTotalEnergyConsumption != null
            && _nvml.GetTotalEnergyConsumption(_handle, &millijoules) == NvmlReturn.Success) joules = millijoules * 1e-3;
        uint milliwatts;
        if (watts is null && _moduleField == null && _nvml.GetPowerUsage != null
            && _nvml.GetPowerUsage(_handle, &milliwatts) == NvmlReturn.Success) (watts, field) = (milliwatts * 1e-3, _usageField);
    }

    public ulong? ReadThrottleReasons()
    {
        ulong bits;
        return _nvml.GetClocksEventReasons != null && _nvml.GetClocksEventReasons(_handle, &bits) == NvmlReturn.Success ? bits : null;
    }

    public int? ReadTemperature()
    {
        uint celsius;
        if (_nvml.GetTemperature != null && _nvml.GetTemperature(_handle, 0, &celsius) == NvmlReturn.Success) return (int)celsius;
        var versioned = new NvmlTemperature { Version = NvmlTemperature.Version1 };
        return _nvml.GetTemperatureV != null && _nvml.GetTemperatureV(_handle, &versioned) == NvmlReturn.Success ? versioned.Celsius : null;
    }

    public int? ReadSmClockMhz() => ReadClock(1);       // NVML_CLOCK_SM
    public int? ReadMemoryClockMhz() => ReadClock(2);   // NVML_CLOCK_MEM

    public int? ReadUtilizationPercent()
    {
        NvmlUtilization value;
        return _nvml.GetUtilization != null && _nvml.GetUtilization(_handle, &value) == NvmlReturn.Success ? (int)value.Gpu : null;
    }

    public (long? Used, long? Total) ReadMemoryBytes()
    {
        NvmlMemory value;
        return _nvml.GetMemory != null && _nvml.GetMemory(_handle, &value) == NvmlReturn.Success ? ((long)value.Used, (long)value.Total)
            : (null, null);
    }

    public uint? ReadPowerLimitMilliwatts() => ReadLimit(_nvml.GetPowerLimit);
    public uint? ReadDefaultPowerLimitMilliwatts() => ReadLimit(_nvml.GetDefaultPowerLimit);

    public (uint Min, uint Max)? ReadPowerLimitConstraintsMilliwatts()
    {
        uint min, max;
        return _nvml.GetPowerLimitConstraints != null && _nvml.GetPowerLimitConstraints(_handle, &min, &max) == NvmlReturn.Success
            ? (min, max) : null;
    }

    /// <summary>A GPU too old for MIG says "not supported", and is not in MIG mode.</summary>
    public bool? ReadMigEnabled()
    {
        if (IsMigSlice) return true;
        if (_nvml.GetMigMode == null) return false;
        uint current, pending;
        return _nvml.GetMigMode(_handle, &current, &pending) switch
        {
            NvmlReturn.Success => current != 0,
            NvmlReturn.NotSupported => false,
            _ => null,
        };
    }

    /// <summary>Process ids as the host numbers them: a container needs the host's pid namespace for them to match its own.</summary>
    public int[]? ReadComputeProcesses()
    {
        if (_nvml.GetComputeProcesses == null) return null;
        var processes = new NvmlProcessInfo[64];
        while (true)
        {
            var count = (uint)processes.Length;
            NvmlReturn result;
            fixed (NvmlProcessInfo* first = processes) result = _nvml.GetComputeProcesses(_handle, &count, first);
            if (result == NvmlReturn.Success) return [.. processes.Take((int)count).Select(p => (int)p.Pid)];
            if (result != NvmlReturn.InsufficientSize || processes.Length > 1 << 16) return null;
            processes = new NvmlProcessInfo[Math.Max((int)count, processes.Length) * 2];
        }
    }

    public NvmlReturn SetPowerLimitMilliwatts(uint value) =>
        _nvml.SetPowerLimit == null ? NvmlReturn.FunctionNotFound : _nvml.SetPowerLimit(_handle, value);

    public NvmlReturn LockSmClock(int mhz) =>
        _nvml.SetLockedClocks == null ? NvmlReturn.FunctionNotFound : _nvml.SetLockedClocks(_handle, (uint)mhz, (uint)mhz);

    public NvmlReturn UnlockSmClock() =>
        _nvml.ResetLockedClocks == null ? NvmlReturn.FunctionNotFound : _nvml.ResetLockedClocks(_handle);

    /// <summary>
    /// The socket of a superchip's CPU that this GPU shares a module with: the NUMA node of its PCI device. Null where that is not known.
    /// </summary>
    /// <param name="pciDevices">As <c>/sys/bus/pci/devices</c>.</param>
    public string? FindModule(string pciDevices)
    {
        if (!ShowsModule || _nvml.GetPciInfo == null) return null;
        NvmlPciInfo pci;
        if (_nvml.GetPciInfo(_handle, &pci) != NvmlReturn.Success) return null;
        var address = System.Text.Encoding.ASCII.GetString(new ReadOnlySpan<byte>(pci.BusIdLegacy, 16)).TrimEnd('\0').ToLowerInvariant();
        try
        {
            return int.TryParse(File.ReadAllText(Path.Combine(pciDevices, address, "numa_node")).Trim(), NumberStyles.None,
                CultureInfo.InvariantCulture, out var node) ? FormattableString.Invariant($"module-{node}") : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static NvmlFieldValue Ask(uint field, uint scope) =>
        new() { FieldId = field, ScopeId = scope, Return = NvmlReturn.NotFound };

    /// <summary>
    /// The field that shows the power of a superchip's module beside that of its GPU; null where the two are not told apart. A module that
    /// runs draws more than nothing.
    /// </summary>
    private (uint Id, PowerField Field)? FieldOfModule()
    {
        if (_nvml.GetFieldValues == null) return null;
        var values = stackalloc NvmlFieldValue[2];
        foreach (var (id, field) in (ReadOnlySpan<(uint, PowerField)>)
            [(FieldPowerInstant, PowerField.Instant), (FieldPowerAverage, PowerField.Average1s)])
        {
            (values[0], values[1]) = (Ask(id, ScopeGpu), Ask(id, ScopeModule));
            if (_nvml.GetFieldValues(_handle, 2, values) == NvmlReturn.Success && values[0].Unsigned != null && values[1].Unsigned > 0)
                return (id, field);
        }
        return null;
    }

    private int? ReadClock(uint type)
    {
        uint mhz;
        return _nvml.GetClockInfo != null && _nvml.GetClockInfo(_handle, type, &mhz) == NvmlReturn.Success ? (int)mhz : null;
    }

    private uint? ReadLimit(delegate* unmanaged<nint, uint*, NvmlReturn> get)
    {
        uint milliwatts;
        return get != null && get(_handle, &milliwatts) == NvmlReturn.Success ? milliwatts : null;
    }

    /// <summary>nvml.h, nvmlDeviceGetPowerUsage: a 1-s average from Ampere on, except GA100; instantaneous on GA100 and before.</summary>
    private PowerField FieldOfPowerUsage()
    {
        uint architecture;
        if (_nvml.GetArchitecture == null || _nvml.GetArchitecture(_handle, &architecture) != NvmlReturn.Success)
            return PowerField.Unspecified;
        if (architecture == uint.MaxValue) return PowerField.Unspecified;
        if (architecture < ArchitectureAmpere) return PowerField.Instant;
        var isGa100 = architecture == ArchitectureAmpere && (Name.Contains("A100") || Name.Contains("A800") || Name.Contains("A30"));
        // "A30" also begins A3000-class names, which are not GA100 and average
        return isGa100 && !Name.Contains("A300") ? PowerField.Instant : PowerField.Average1s;
    }
}
