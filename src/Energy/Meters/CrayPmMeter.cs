using System.Text.RegularExpressions;

namespace Harness.Energy.Meters;

/// <summary>
/// The power management counters of a Cray node (S. Martin et al., "Cray XC Advanced Power Management Updates", Cray User Group 2018;
/// on EX machines likewise): <c>energy</c> of the whole node, and where the node tells them apart <c>cpu_energy</c>,
/// <c>memory_energy</c> and <c>accelN_energy</c>, in joules, each with its power in watts beside it. All of them are updated at once, ten
/// times a second, and <c>freshness</c> counts the updates. Everybody may read them.
/// </summary>
public static partial class CrayPmMeter
{
    public const string DefaultRoot = "/sys/cray/pm_counters";

    private const string Source = EnergyDomain.CrayPm;

    /// <param name="root">Where the counters are.</param>
    public static IEnergyMeter Open(string host, IRunClock clock, string root = DefaultRoot)
    {
        var notices = new List<string>();
        var sensors = new List<Sensor>();
        foreach (var (counter, domain) in Find(root, host))
        {
            try
            {
                sensors.Add(new Sensor(domain)
                {
                    Joules = new(NumberFile.Open(Path.Combine(root, counter)), 1),
                    Watts = PowerBeside(Path.Combine(root, counter)),
                });
            }
            catch (UnreadableFileException e)
            {
                notices.Add($"Cray's counters: {domain.Device} is left out: {e.Message}");
            }
        }
        if (sensors.Count > 0) return new SensorMeter(clock, sensors, Freshness(root, notices), notices);
        if (notices.Count == 0) notices.Add($"Cray's counters: there is no {Path.Combine(root, "energy")}; this is no Cray node");
        return new NullMeter([.. notices]);
    }

    private static IEnumerable<(string Counter, EnergyDomain Domain)> Find(string root, string host)
    {
        if (!Directory.Exists(root)) yield break;
        foreach (var path in Directory.GetFiles(root).Order(StringComparer.Ordinal))
        {
            var (counter, match) = (Path.GetFileName(path), Counter().Match(Path.GetFileName(path)));
            if (!match.Success) continue;
            var part = match.Groups["part"].Value;
            yield return (counter, part switch
            {
                "" => new(host, "node", DomainKind.Node, Source),
                "cpu" => new(host, part, DomainKind.Package, Source),
                "memory" => new(host, part, DomainKind.Dram, Source),
                _ => new(host, part, DomainKind.Gpu, Source),
            });
        }
    }

    /// <summary>Power is a check of the counter, which does without it.</summary>
    private static Scaled? PowerBeside(string counter)
    {
        var path = counter[..^"energy".Length] + "power";
        return File.Exists(path) ? new Scaled(NumberFile.Open(path), 1) : null;
    }

    private static NumberFile? Freshness(string root, List<string> notices)
    {
        try
        {
            return NumberFile.Open(Path.Combine(root, "freshness"));
        }
        catch (UnreadableFileException e)
        {
            notices.Add($"Cray's counters: that values are of one update cannot be told: {e.Message}");
            return null;
        }
    }

    [GeneratedRegex(@"^(?:(?<part>cpu|memory|accel\d+)_)?energy$")]
    private static partial Regex Counter();
}
