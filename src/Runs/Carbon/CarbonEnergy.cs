using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Runs.Accounting;

namespace Harness.Runs.Carbon;

/// <summary>The joules of a run as its carbon asks for them: by the hour, and of what was reserved beside what is counted.</summary>
public static class CarbonEnergy
{
    /// <summary>
    /// Joules in the measured windows of what was read but is not counted: of each host the rest of the whole node where one is
    /// read, or of its superchips, else sockets and memory beside GPUs. Null where a reading is missing.
    /// </summary>
    public static double? Reserved(RunAccount account)
    {
        var sum = 0.0;
        foreach (var repeat in account.Pieces.SelectMany(piece => piece.Energy.Repeats))
            foreach (var host in repeat.Speaking.GroupBy(device => device.Host))
            {
                var counted = host.Where(device => repeat.Counted.Any(one => one.Key == device.Key)).ToList();
                var whole = RunAccount.Sum(Whole(repeat, [.. host]).Select(device => device.Joules));
                var own = counted.Count == 0 ? 0 : RunAccount.Sum(counted.Select(device => device.Joules));
                if (whole - own is not { } beside) return null;
                sum += Math.Max(0, beside);     // two meters differ by their errors: less than nothing was not reserved
            }
        return sum;
    }

    /// <summary>
    /// What covers most of a host: its supply, else its superchips (by their GPUs' counters, or by a sensor of the board), else all parts
    /// that are read.
    /// </summary>
    private static IReadOnlyList<DomainEnergy> Whole(WindowEnergy repeat, IReadOnlyList<DomainEnergy> host) =>
        new[] { EnergyScope.Node, EnergyScope.Module }.Select(scope =>
            repeat.OfScope(scope).Where(device => device.Host == host[0].Host).ToList())
            .FirstOrDefault(covering => covering.Count > 0) ?? host;

    /// <summary>Counted joules of the measured windows, hour by hour; null where a window has none, or its hours are not known.</summary>
    public static IReadOnlyList<CarbonHour>? Hours(RunAccount account, CarbonInputs inputs)
    {
        var joules = new SortedDictionary<DateTimeOffset, double>();
        foreach (var (_, energy) in account.Pieces)
            foreach (var repeat in energy.Repeats)
            {
                if (energy.OriginUtc is not { } origin) return null;
                for (var from = repeat.Window.StartSeconds; from < repeat.Window.EndSeconds;)
                {
                    var hour = CarbonIntensity.Hour(origin.AddSeconds(from));
                    // A microsecond into the next hour, lest rounding of times leave nothing between two ends.
                    var to = Math.Min(repeat.Window.EndSeconds, (hour.AddHours(1) - origin).TotalSeconds + 1e-6);
                    if (energy.JoulesBetween(repeat.Window, from, to) is not { } part) return null;
                    joules[hour] = joules.GetValueOrDefault(hour) + part;
                    from = to;
                }
            }
        return inputs.IsHourly
            ? [.. joules.Select(hour => new CarbonHour(hour.Key, hour.Value, inputs.IntensityAt(hour.Key)))]
            : [new CarbonHour(null, joules.Values.Sum(), inputs.IntensityAt(default))];
    }
}
