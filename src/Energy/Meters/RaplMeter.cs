using System.Buffers.Text;
using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Harness.Energy.Meters;

/// <summary>
/// Running average power limit counters through Linux powercap sysfs (Documentation/power/powercap): <c>intel-rapl:*</c>
/// zones, which AMD processors since family 17h fill too. Package and DRAM zones (nested or not) and the platform zone
/// <c>psys</c>; core and uncore are part of their package and are left out. <c>energy_uj</c> wraps to 0 after
/// <c>max_energy_range_uj</c>; a wrap is undone as long as readings come more often than the counter wraps (a minute at
/// the least on known processors).
/// </summary>
public sealed class RaplMeter : IEnergyMeter
{
    public const string DefaultRoot = "/sys/class/powercap";

    private readonly IRunClock _clock;
    private readonly Zone[] _zones;

    private RaplMeter(IRunClock clock, Zone[] zones, string[] notices)
    {
        _clock = clock;
        _zones = zones;
        Domains = [.. zones.Select(z => z.Domain)];
        Notices = notices;
    }

    public IReadOnlyList<EnergyDomain> Domains { get; }
    public IReadOnlyList<string> Notices { get; }

    public static IEnergyMeter Open(string host, IRunClock clock, string root = DefaultRoot)
    {
        var notices = new List<string>();
        var zones = new List<Zone>();
        foreach (var (directory, device, kind) in FindZones(root))
        {
            if (zones.Any(z => z.Domain.Device == device)) continue;   // intel-rapl-mmio shows a package a second time
            var domain = new EnergyDomain(host, device, kind, "rapl");
            try
            {
                zones.Add(Zone.Open(directory, domain));
            }
            catch (UnauthorizedAccessException)
            {
                notices.Add($"RAPL: {device} is not readable, since {Path.Combine(directory, "energy_uj")} is open to root only; "
                    + "let an administrator run 'chmod o+r' on it, or run as root");
            }
            catch (Exception e) when (e is IOException or FormatException)
            {
                notices.Add($"RAPL: {device} is left out: {e.Message}");
            }
        }
        if (zones.Count > 0) return new RaplMeter(clock, [.. zones], [.. notices]);
        if (notices.Count == 0) notices.Add($"RAPL: no package zone under {root}; the kernel module intel_rapl_msr may not be loaded, or a virtual machine hides it");
        return new NullMeter([.. notices]);
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

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. Domains.Select(DomainFacts.NotApplicable)];

    public void Dispose()
    {
        foreach (var zone in _zones) zone.Dispose();
    }

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
                    yield return (nested, name.Replace("package", "dram", StringComparison.Ordinal), DomainKind.Dram);
        }
    }

    private static string? ReadName(string zone)
    {
        var file = Path.Combine(zone, "name");
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    }

    private sealed class Zone : IDisposable
    {
        private readonly SafeFileHandle _file;
        private readonly long _rangeMicrojoules;
        private long _last;
        private long _wrapped;

        private Zone(SafeFileHandle file, EnergyDomain domain, long rangeMicrojoules, long first)
        {
            (_file, Domain, _rangeMicrojoules, _last) = (file, domain, rangeMicrojoules, first);
        }

        public EnergyDomain Domain { get; }

        public static Zone Open(string directory, EnergyDomain domain)
        {
            var range = long.Parse(File.ReadAllText(Path.Combine(directory, "max_energy_range_uj")), CultureInfo.InvariantCulture);
            var file = File.OpenHandle(Path.Combine(directory, "energy_uj"), share: FileShare.ReadWrite | FileShare.Delete);
            var first = ReadMicrojoules(file) ?? throw new IOException($"{directory}/energy_uj holds no number");
            return new Zone(file, domain, range, first);
        }

        public double? ReadJoules()
        {
            if (ReadMicrojoules(_file) is not { } now) return null;
            if (now < _last) _wrapped += _rangeMicrojoules;
            _last = now;
            return (_wrapped + now) * 1e-6;
        }

        private static long? ReadMicrojoules(SafeFileHandle file)
        {
            Span<byte> text = stackalloc byte[32];
            try
            {
                var length = RandomAccess.Read(file, text, 0);
                return Utf8Parser.TryParse(text[..length], out long value, out _) ? value : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                return null;
            }
        }

        public void Dispose() => _file.Dispose();
    }
}
