namespace Harness.Energy.Nvml;

/// <summary>
/// NVIDIA GPUs through NVML. Energy, power and throttle reasons are in every reading; temperature, clocks, utilisation,
/// power limit and memory, each another driver call, come about once a second.
/// </summary>
public sealed class NvmlMeter : IEnergyMeter
{
    /// <summary>Where the kernel lists PCI devices.</summary>
    public const string DefaultPciDevices = "/sys/bus/pci/devices";

    private const double StateIntervalSeconds = 1.0;

    private readonly NvmlLibrary _nvml;
    private readonly IRunClock _clock;
    private readonly NvmlDevice[] _devices;
    private double _nextStateSeconds = double.NegativeInfinity;

    private NvmlMeter(NvmlLibrary nvml, string host, IRunClock clock, NvmlDevice[] devices, string pciDevices)
    {
        (_nvml, _clock, _devices) = (nvml, clock, devices);
        Domains = [.. devices.Select(d =>
            new EnergyDomain(host, d.Uuid, DomainKind.Gpu, "nvml", d.Name) { Module = d.FindModule(pciDevices) })];
    }

    public IReadOnlyList<EnergyDomain> Domains { get; }
    public IReadOnlyList<string> Notices => [];
    internal IReadOnlyList<NvmlDevice> Devices => _devices;
    internal NvmlLibrary Library => _nvml;

    /// <summary>The one GPU that a rank computes on: its local rank modulo the devices CUDA shows it.</summary>
    public static IEnergyMeter OpenForRank(string host, IRunClock clock, int localRank, string? cudaVisibleDevices,
        string? library = null, string pciDevices = DefaultPciDevices) =>
        Open(host, clock, library, pciDevices, nvml => VisibleDevices.Find(nvml, cudaVisibleDevices) is { Count: > 0 } visible
            ? [visible[localRank % visible.Count]] : [],
            $"NVML: no GPU is visible to this process (CUDA_VISIBLE_DEVICES={cudaVisibleDevices ?? "unset"})");

    /// <summary>Every GPU of the node, whether or not CUDA shows it.</summary>
    public static IEnergyMeter OpenAll(string host, IRunClock clock, string? library = null, string pciDevices = DefaultPciDevices) =>
        Open(host, clock, library, pciDevices, nvml => VisibleDevices.Find(nvml, null), "NVML: this node has no NVIDIA GPU");

    private static IEnergyMeter Open(string host, IRunClock clock, string? library, string pciDevices,
        Func<NvmlLibrary, List<NvmlDevice>> select, string none)
    {
        var nvml = NvmlLibrary.TryOpen(library, out var whyNot);
        if (nvml == null) return new Meters.NullMeter(whyNot!);
        var devices = select(nvml);
        if (devices.Count > 0) return new NvmlMeter(nvml, host, clock, [.. devices], pciDevices);
        nvml.Dispose();
        return new Meters.NullMeter(none);
    }

    public void Read(Span<EnergyReading> readings)
    {
        var withState = _clock.Seconds >= _nextStateSeconds;
        for (var i = 0; i < _devices.Length; i++)
        {
            var device = _devices[i];
            var before = _clock.Seconds;
            device.ReadEnergy(out var joules, out var watts, out var moduleWatts, out var field);
            var reading = new EnergyReading
            {
                TimeSeconds = (before + _clock.Seconds) / 2,
                EnergyJoules = joules,
                PowerWatts = watts,
                ModulePowerWatts = moduleWatts,
                PowerField = field,
                ThrottleReasons = device.ReadThrottleReasons(),
            };
            readings[i] = withState ? WithState(reading, device) : reading;
        }
        if (withState) _nextStateSeconds = _clock.Seconds + StateIntervalSeconds;
    }

    private static EnergyReading WithState(in EnergyReading reading, NvmlDevice device) => reading with
    {
        TemperatureCelsius = device.ReadTemperature(),
        SmClockMhz = device.ReadSmClockMhz(),
        MemoryClockMhz = device.ReadMemoryClockMhz(),
        UtilizationPercent = device.ReadUtilizationPercent(),
        PowerLimitWatts = device.ReadPowerLimitMilliwatts() * 1e-3,
        MemoryUsedBytes = device.ReadMemoryBytes().Used,
    };

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. _devices.Select((device, i) => Inspect(device, Domains[i], runProcessIds))];

    private DomainFacts Inspect(NvmlDevice device, EnergyDomain domain, IReadOnlyCollection<int> runProcessIds)
    {
        var constraints = device.ReadPowerLimitConstraintsMilliwatts();
        return new DomainFacts(domain)
        {
            MigEnabled = device.ReadMigEnabled(),
            ForeignProcesses = device.ReadComputeProcesses()?.Count(pid => !runProcessIds.Contains(pid)),
            DriverVersion = _nvml.DriverVersion(),
            PowerLimitWatts = device.ReadPowerLimitMilliwatts() * 1e-3,
            DefaultPowerLimitWatts = device.ReadDefaultPowerLimitMilliwatts() * 1e-3,
            MinPowerLimitWatts = constraints?.Min * 1e-3,
            MaxPowerLimitWatts = constraints?.Max * 1e-3,
            MemoryTotalBytes = device.ReadMemoryBytes().Total,
        };
    }

    public void Dispose() => _nvml.Dispose();
}
