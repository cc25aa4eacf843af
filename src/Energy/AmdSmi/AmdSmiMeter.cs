namespace Harness.Energy.AmdSmi;

/// <summary>One GPU of a node: the library's handle, and the driver's files.</summary>
internal sealed record AmdDevice(nint Handle, string Uuid, AmdGpuFiles Files);

/// <summary>
/// AMD GPUs through AMD SMI: the energy counter and the socket's power in every reading; temperature, memory and what slowed the device
/// come about once a second, from a thread of their own, since the library sleeps a tenth of a second over them. Of an MI250's two dies
/// one shows the power of both (ROCm's documentation of MI200): that one stands for the package, and the other is no domain.
/// </summary>
public sealed class AmdSmiMeter : IEnergyMeter
{
    private static readonly TimeSpan s_stateInterval = TimeSpan.FromSeconds(1);

    private readonly AmdSmiLibrary _library;
    private readonly IRunClock _clock;
    private readonly AmdDevice[] _devices;
    private readonly State[] _states;
    private readonly ManualResetEventSlim _end = new();
    private readonly Thread _watch;

    private AmdSmiMeter(AmdSmiLibrary library, string host, IRunClock clock, AmdDevice[] devices, IReadOnlyList<string> notices)
    {
        (_library, _clock, _devices, Notices) = (library, clock, devices, notices);
        Domains = [.. devices.Select(device => new EnergyDomain(host, device.Uuid, DomainKind.Gpu, "amdsmi",
            device.Files.IsHalfOfTwo ? $"{device.Files.Name} (both dies)".TrimStart() : device.Files.Name))];
        _states = new State[devices.Length];
        for (var i = 0; i < devices.Length; i++) _states[i] = new State();
        _watch = new Thread(Watch) { IsBackground = true, Name = "AMD SMI states" };
        _watch.Start();
    }

    public IReadOnlyList<EnergyDomain> Domains { get; }
    public IReadOnlyList<string> Notices { get; }

    /// <summary>The one GPU that a rank computes on: its local rank modulo the devices HIP shows it.</summary>
    public static IEnergyMeter OpenForRank(string host, IRunClock clock, int localRank, AmdVisibility visibility, AmdSmiPlaces places) =>
        Open(host, clock, places, all => visibility.Among(all) is { Count: > 0 } visible ? [visible[localRank % visible.Count]] : [],
            $"AMD SMI: no GPU is visible to this process (ROCR_VISIBLE_DEVICES={visibility.Rocr ?? "unset"}, "
            + $"HIP_VISIBLE_DEVICES={visibility.Hip ?? "unset"})");

    /// <summary>Every GPU of the node, whether or not HIP shows it.</summary>
    public static IEnergyMeter OpenAll(string host, IRunClock clock, AmdSmiPlaces places) =>
        Open(host, clock, places, all => all, "AMD SMI: this node has no AMD GPU");

    private static IEnergyMeter Open(string host, IRunClock clock, AmdSmiPlaces places,
        Func<IReadOnlyList<AmdDevice>, IReadOnlyList<AmdDevice>> select, string none)
    {
        var library = AmdSmiLibrary.TryOpen(places.Library, out var whyNot);
        if (library == null) return new Meters.NullMeter(whyNot!);
        List<AmdDevice> all = [.. library.Devices().OrderBy(device => device.PciAddress, StringComparer.Ordinal)
            .Select(device => new AmdDevice(device.Handle, library.Uuid(device.Handle),
                new(device.PciAddress, places.Devices, places.Computing)))];
        var notices = new List<string>();
        List<AmdDevice> chosen = [.. select(all).Select(device => Speaker(library, all, device, notices)).OfType<AmdDevice>().Distinct()];
        if (chosen.Count > 0) return new AmdSmiMeter(library, host, clock, [.. chosen], notices);
        library.Dispose();
        return new Meters.NullMeter([.. notices.DefaultIfEmpty(none)]);
    }

    /// <summary>The die that shows a device's power: the device, or of two dies the one before it; null where neither shows any.</summary>
    private static AmdDevice? Speaker(AmdSmiLibrary library, List<AmdDevice> all, AmdDevice device, List<string> notices)
    {
        bool Speaks(AmdDevice one) => library.ReadWatts(one.Handle).Watts > 0;
        if (!device.Files.IsHalfOfTwo || Speaks(device)) return device;
        var before = all.IndexOf(device) - 1;
        if (before >= 0 && all[before].Files.IsHalfOfTwo && Speaks(all[before])) return all[before];
        notices.Add($"AMD SMI: {device.Files.PciAddress} is one of two dies and shows no power, nor does the die before it");
        return null;
    }

    public void Read(Span<EnergyReading> readings)
    {
        for (var i = 0; i < _devices.Length; i++)
        {
            var before = _clock.Seconds;
            var joules = _library.ReadJoules(_devices[i].Handle);
            var (watts, field) = _library.ReadWatts(_devices[i].Handle);
            readings[i] = _states[i].With(new EnergyReading
            {
                TimeSeconds = (before + _clock.Seconds) / 2,
                EnergyJoules = joules,
                PowerWatts = watts,
                PowerField = watts is null ? null : field,
            });
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
    [
        .. _devices.Select((device, i) => new DomainFacts(Domains[i])
        {
            MigEnabled = false,
            ForeignProcesses = device.Files.ComputeProcesses()?.Count(process => !runProcessIds.Contains(process)),
            DriverVersion = $"AMD SMI {_library.Version.Major}.{_library.Version.Minor}",
            MemoryTotalBytes = device.Files.MemoryTotalBytes,
        }),
    ];

    public void Dispose()
    {
        _end.Set();
        _watch.Join();
        _library.Dispose();
        _end.Dispose();
    }

    private void Watch()
    {
        do
        {
            for (var i = 0; i < _devices.Length && !_end.IsSet; i++) _states[i].Look(_library, _devices[i]);
        }
        while (!_end.Wait(s_stateInterval));
    }

    /// <summary>What changes slowly, of one device. Written by the watching thread, and put into the readings.</summary>
    private sealed class State
    {
        private readonly Lock _gate = new();
        private AmdViolations? _violations;
        private ulong? _reasons;
        private EnergyReading? _news;

        public void Look(AmdSmiLibrary library, AmdDevice device)
        {
            var violations = library.ReadViolations(device.Handle);
            var reasons = violations is { } now ? now.Since(_violations ?? now) : device.Files.ThrottleReasonsNow();
            _violations = violations;
            var news = new EnergyReading
            {
                TemperatureCelsius = library.ReadTemperature(device.Handle),
                MemoryUsedBytes = device.Files.MemoryUsedBytes,
            };
            lock (_gate) (_news, _reasons) = (news, reasons);
        }

        /// <summary>Reasons hold until the next look, in every reading; the rest is in the first one after a look.</summary>
        public EnergyReading With(in EnergyReading reading)
        {
            lock (_gate)
            {
                var (news, seen) = (_news, reading with { ThrottleReasons = _reasons });
                _news = null;
                return news == null ? seen : seen with
                {
                    TemperatureCelsius = news.Value.TemperatureCelsius,
                    MemoryUsedBytes = news.Value.MemoryUsedBytes,
                };
            }
        }
    }
}

/// <summary>Where the library and the driver's files are.</summary>
/// <param name="Library">Null for HARNESS_AMDSMI_LIBRARY, else the loader's.</param>
public sealed record AmdSmiPlaces(string? Library = null, string Devices = AmdGpuFiles.DefaultDevices,
    string Computing = AmdGpuFiles.DefaultComputing);
