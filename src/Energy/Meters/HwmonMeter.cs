using System.Globalization;
using System.Text.RegularExpressions;

namespace Harness.Energy.Meters;

/// <summary>
/// Sensors of Linux' hardware monitoring (Documentation/hwmon/sysfs-interface: <c>energyN_input</c> in µJ, <c>powerN_average</c> and
/// <c>powerN_input</c> in µW) whose extent is known:
/// <list type="bullet">
/// <item>the driver <c>amd_energy</c>: <c>Esocket0</c> … are the sockets, cores are part of them;</item>
/// <item>
/// ACPI power meters (Documentation/hwmon/acpi_power_meter) that say in <c>power1_oem_info</c> what they stand for, as NVIDIA's Grace does
/// ("Grace Power Socket 0": CPU, its memory and its input and output; "Module Power Socket 0": the superchip, GPU included;
/// "CPU Power …" and "SysIO Power …" are parts of Grace's);
/// </item>
/// <item>an ACPI power meter that says nothing: the machine at its supply.</item>
/// </list>
/// Others (a disk's, a network card's, a regulator's) are named and left out.
/// </summary>
public static partial class HwmonMeter
{
    public const string DefaultRoot = "/sys/class/hwmon";

    private const string Source = "hwmon";
    private const double Micro = 1e-6;

    /// <param name="root">Where the devices are.</param>
    public static IEnergyMeter Open(string host, IRunClock clock, string root = DefaultRoot)
    {
        var notices = new List<string>();
        var sensors = new List<Sensor>();
        string[] devices = Directory.Exists(root) ? [.. Directory.GetDirectories(root, "hwmon*").Order(StringComparer.Ordinal)] : [];
        foreach (var device in devices)
            foreach (var path in Directory.GetFiles(device).Where(IsValue).Order(StringComparer.Ordinal))
            {
                try
                {
                    if (DomainOf(device, path, host) is { } domain)
                    {
                        if (sensors.All(sensor => sensor.Domain.Device != domain.Device)) sensors.Add(SensorOf(path, domain));
                    }
                    else if (!IsPart(device, path))
                        notices.Add($"hwmon: {path} ({Describe(device, path)}) is left out: what it covers is not known");
                }
                catch (UnreadableFileException e)
                {
                    notices.Add($"hwmon: {Describe(device, path)} is left out: {e.Message}");
                }
            }
        if (sensors.Count > 0) return new SensorMeter(clock, sensors, freshness: null, notices);
        if (notices.Count == 0) notices.Add($"hwmon: no sensor of energy or power under {root}");
        return new NullMeter([.. notices]);
    }

    /// <summary>Null for what is part of another domain, or unknown.</summary>
    private static EnergyDomain? DomainOf(string device, string path, string host)
    {
        var (driver, says) = (Text(Path.Combine(device, "name")), Saying(device, path));
        if (driver == "amd_energy" && Socket().Match(says) is { Success: true } socket)
            return new(host, $"package-{socket.Groups["number"].Value}", DomainKind.Package, Source, says);
        if (driver != "power_meter") return null;
        if (says.Length == 0) return new(host, Path.GetFileName(device), DomainKind.Node, Source);
        if (Grace().Match(says) is not { Success: true } part) return null;
        var number = part.Groups["number"].Value;
        return part.Groups["part"].Value switch
        {
            "Grace" => new(host, $"grace-{number}", DomainKind.Package, Source, says),
            "Module" => new(host, $"module-{number}", DomainKind.Module, Source, says),
            _ => null,
        };
    }

    /// <summary>Known, and within a domain that is read.</summary>
    private static bool IsPart(string device, string path) => Text(Path.Combine(device, "name")) switch
    {
        "amd_energy" => true,
        "power_meter" => Grace().IsMatch(Saying(device, path)),
        _ => false,
    };

    private static Sensor SensorOf(string path, EnergyDomain domain)
    {
        var value = new Scaled(NumberFile.Open(path), Micro);
        return Path.GetFileName(path).StartsWith("energy", StringComparison.Ordinal) ? new(domain) { Joules = value }
            : new(domain) { Watts = value, Field = MeansOverSeconds(path) == 1 ? PowerField.Average1s : PowerField.Unspecified };
    }

    /// <summary>Over how long a power is averaged, in s; null where the driver does not say.</summary>
    private static double? MeansOverSeconds(string path) =>
        double.TryParse(Text(path + "_interval"), NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds)
            ? milliseconds * 1e-3 : null;

    /// <summary>Counters, and power where there is no average of it.</summary>
    private static bool IsValue(string path) => Value().Match(Path.GetFileName(path)) is { Success: true } value
        && !(value.Groups["now"].Success && File.Exists(path[..^"input".Length] + "average"));

    /// <summary>What the sensor says of itself; empty where it says nothing.</summary>
    private static string Saying(string device, string path)
    {
        var beginning = Path.Combine(device, Value().Match(Path.GetFileName(path)).Groups["sensor"].Value);
        return Text(beginning + "_label") is { Length: > 0 } label ? label
            : Text(Path.Combine(device, "device", Path.GetFileName(beginning) + "_oem_info")) is { Length: > 0 } inDevice ? inDevice
            : Text(beginning + "_oem_info");
    }

    private static string Describe(string device, string path) =>
        $"{Text(Path.Combine(device, "name"))} {Saying(device, path)}".Trim() is { Length: > 0 } text ? text : Path.GetFileName(path);

    private static string Text(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path).Trim() : "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    [GeneratedRegex(@"^(?:(?<sensor>energy\d+)_input|(?<sensor>power\d+)_(?:average|(?<now>input)))$")]
    private static partial Regex Value();

    [GeneratedRegex(@"^Esocket(?<number>\d+)$")]
    private static partial Regex Socket();

    [GeneratedRegex(@"^(?<part>Grace|Module|CPU|SysIO) Power Socket (?<number>\d+)$")]
    private static partial Regex Grace();
}
