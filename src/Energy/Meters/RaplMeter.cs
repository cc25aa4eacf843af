using System.Globalization;
using System.Text.RegularExpressions;

namespace Harness.Energy.Meters;

/// <summary>
/// Running average power limit counters through Linux powercap sysfs (Documentation/power/powercap): <c>intel-rapl:*</c>
/// zones, which AMD processors since family 17h fill too. Package and DRAM zones (nested or not) and the platform zone
/// <c>psys</c>; core and uncore are part of their package and are left out. <c>energy_uj</c> wraps to 0 after
/// <c>max_energy_range_uj</c>; a wrap is undone as long as readings come more often than the counter wraps (a minute at
/// the least on known processors). A fall that a wrap would need more power for than a device has (<see cref="PlausiblePower"/>)
/// is none: the counter was reset, by a suspend or by its driver, and the joules fall with it.
/// </summary>
public sealed partial class RaplMeter : IEnergyMeter
{
    public const string DefaultRoot = "/sys/class/powercap";
    public const string DefaultProcessors = "/sys/devices/system/cpu";

    private readonly IRunClock _clock;
    private readonly Zone[] _zones;
    private readonly string[] _unread;

    private RaplMeter(IRunClock clock, Zone[] zones, string[] unread, string[] notices)
    {
        (_clock, _zones, _unread) = (clock, zones, unread);
        Domains = [.. zones.Select(z => z.Domain)];
        Notices = notices;
    }

    public IReadOnlyList<EnergyDomain> Domains { get; }
    public IReadOnlyList<string> Notices { get; }

    /// <param name="root">Where the zones are.</param>
    /// <param name="processors">Where the machine's processors say which socket they are in.</param>
    public static IEnergyMeter Open(string host, IRunClock clock, string root = DefaultRoot, string processors = DefaultProcessors)
    {
        var notices = new List<string>();
        var zones = new List<Zone>();
        var unread = new List<string>();
        var found = FindZones(root).ToList();
        foreach (var (directory, device, kind) in found)
        {
            if (zones.Any(z => z.Domain.Device == device)) continue;   // intel-rapl-mmio shows a package a second time
            try
            {
                zones.Add(Zone.Open(directory, new EnergyDomain(host, device, kind, "rapl"), clock));
                continue;
            }
            catch (UnreadableFileException e)
            {
                notices.Add($"RAPL: {device} is left out: {e.Message}");
            }
            if (kind != DomainKind.Node) unread.Add(device);
        }
        unread.RemoveAll(device => zones.Any(z => z.Domain.Device == device));
        if (zones.Count == 0)
        {
            if (notices.Count == 0) notices.Add($"RAPL: no package zone under {root}; "
                + "the kernel module intel_rapl_msr may not be loaded, or a virtual machine hides it");
            return new NullMeter([.. notices]);
        }
        foreach (var part in WithoutZone([.. found.Select(zone => zone.Device)], processors))
        {
            unread.Add(part);
            notices.Add($"RAPL: there is no zone of {part} under {root}, so that energy is that of a part of the machine only; "
                + "see whether a container or the kernel hides it");
        }
        return new RaplMeter(clock, [.. zones], [.. unread], [.. notices]);
    }

    public void Read(Span<EnergyReading> readings)
    {
        for (var i = 0; i < _zones.Length; i++)
        {
            var before = _clock.Seconds;
            var joules = _zones[i].ReadJoules();
            readings[i] = new EnergyReading { TimeSeconds = (before + _clock.Seconds) / 2, EnergyJoules = joules };
        }
    }

    /// <summary>The platform's domain covers what packages and memory that cannot be read use.</summary>
    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
    [
        .. Domains.Select(domain => DomainFacts.NotApplicable(domain) with
        {
            UnreadParts = domain.Kind == DomainKind.Node || _unread.Length == 0 ? null : _unread,
        }),
    ];

    public void Dispose()
    {
        foreach (var zone in _zones) zone.Dispose();
    }

    /// <summary>Sockets that have processors but no package zone, and packages without memory where others have it.</summary>
    private static IEnumerable<string> WithoutZone(HashSet<string> devices, string processors)
    {
        var packages = devices.Where(device => device.StartsWith("package", StringComparison.Ordinal)).ToList();
        var numbers = packages.Select(package => PackageNumber().Match(package).Value).Distinct().Count();
        var sockets = Sockets(processors);
        if (packages.Count > 0 && sockets > numbers)
            yield return numbers + 1 == sockets
                ? "the other socket" : FormattableString.Invariant($"{sockets - numbers} of {sockets} sockets");
        if (!devices.Any(device => device.StartsWith("dram-", StringComparison.Ordinal))) yield break;
        foreach (var package in packages)
            if (Memory(package) is var memory && !devices.Contains(memory)) yield return memory;
    }

    private static int Sockets(string processors) => !Directory.Exists(processors) ? 0
        : Directory.GetDirectories(processors, "cpu*").Select(cpu =>
            Path.Combine(cpu, "topology", "physical_package_id")).Where(File.Exists)
            .Select(file => File.ReadAllText(file).Trim()).Distinct().Count();

    private static string Memory(string package) => package.Replace("package", "dram", StringComparison.Ordinal);

    [GeneratedRegex(@"(?<=^package-)\d+")]
    private static partial Regex PackageNumber();

    /// <summary>Zones worth reading, MSR before MMIO, each nested zone behind its package.</summary>
    private static IEnumerable<(string Directory, string Device, DomainKind Kind)> FindZones(string root)
    {
        if (!Directory.Exists(root)) yield break;
        // sysfs lists nested zones both inside their package and beside it; only the former say which package they belong to
        var packages = Directory.GetDirectories(root, "intel-rapl*:*")
            .Where(d => Path.GetFileName(d).Count(c => c == ':') == 1)
            .OrderBy(d => Path.GetFileName(d).StartsWith("intel-rapl:", StringComparison.Ordinal) ? 0 : 1)
            .ThenBy(d => d, StringComparer.Ordinal);
        foreach (var package in packages)
        {
            var name = ReadName(package);
            if (name == null) continue;
            if (name.StartsWith("psys", StringComparison.Ordinal)) yield return (package, name, DomainKind.Node);
            else if (name.StartsWith("package", StringComparison.Ordinal)) yield return (package, name, DomainKind.Package);
            else if (name.StartsWith("dram", StringComparison.Ordinal)) yield return (package, name, DomainKind.Dram);
            foreach (var nested in Directory.GetDirectories(package, "intel-rapl*:*:*").Order(StringComparer.Ordinal))
                if (ReadName(nested) == "dram")
                    yield return (nested, Memory(name), DomainKind.Dram);
        }
    }

    private static string? ReadName(string zone)
    {
        var file = Path.Combine(zone, "name");
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    }

    private sealed class Zone : IDisposable
    {
        private readonly NumberFile _microjoules;
        private readonly IRunClock _clock;
        private readonly long _rangeMicrojoules;
        private long _last;
        private double _lastSeconds;
        private long _wrapped;

        private Zone(NumberFile microjoules, EnergyDomain domain, IRunClock clock, long rangeMicrojoules, long first)
        {
            (_microjoules, Domain, _clock, _rangeMicrojoules) = (microjoules, domain, clock, rangeMicrojoules);
            (_last, _lastSeconds) = (first, clock.Seconds);
        }

        public EnergyDomain Domain { get; }

        /// <exception cref="UnreadableFileException">One of its two files.</exception>
        public static Zone Open(string directory, EnergyDomain domain, IRunClock clock)
        {
            var range = NumberFile.Guard(Path.Combine(directory, "max_energy_range_uj"), path =>
                long.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture));
            var microjoules = NumberFile.Open(Path.Combine(directory, "energy_uj"));
            return new Zone(microjoules, domain, clock, range, microjoules.Read() ?? 0);
        }

        /// <summary>J; falls only where the counter was reset.</summary>
        public double? ReadJoules()
        {
            if (_microjoules.Read() is not { } now) return null;
            var seconds = _clock.Seconds;
            if (now < _last && IsWrap(now, seconds - _lastSeconds)) _wrapped += _rangeMicrojoules;
            (_last, _lastSeconds) = (now, seconds);
            return (_wrapped + now) * 1e-6;
        }

        private bool IsWrap(long now, double seconds) =>
            (_rangeMicrojoules - _last + now) * 1e-6 <= PlausiblePower.Joules(Domain.Kind, seconds);

        public void Dispose() => _microjoules.Dispose();
    }
}
