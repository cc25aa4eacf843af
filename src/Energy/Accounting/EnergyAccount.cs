using Harness.Energy.Sampling;

namespace Harness.Energy.Accounting;

/// <summary>The whole run in one window: the counted devices' joules added up, and every device beside them.</summary>
public sealed record WindowAccount
{
    public required EnergyWindow Window { get; init; }

    /// <summary>Every domain, counted or not.</summary>
    public required IReadOnlyList<WindowEnergy> Devices { get; init; }

    /// <summary>The domains that <see cref="Joules"/> adds up.</summary>
    public required IReadOnlyList<WindowEnergy> Counted { get; init; }

    /// <summary>Gross; absent unless every counted device has its joules.</summary>
    public double? Joules { get; init; }

    /// <summary>Gross minus idle; absent unless every counted device has a baseline.</summary>
    public double? NetJoules { get; init; }

    /// <summary>Idle watts of all counted devices together.</summary>
    public double? IdleWatts { get; init; }

    /// <summary>Σ counter ÷ Σ integrated power over the counted devices; absent unless all have both.</summary>
    public double? CounterPowerRatio { get; init; }

    /// <summary>The counted devices' sources, e.g. <c>nvml_counter</c>; several are joined by a plus; absent with no energy.</summary>
    public string? Source { get; init; }

    /// <summary>What the readings of the counted devices alone give rise to; <see cref="Validity.Judge"/> adds the rest.</summary>
    public required IReadOnlyList<string> InvalidReasons { get; init; }

    public double? AverageWatts => Window.DurationSeconds > 0 ? Joules / Window.DurationSeconds : null;
}

/// <summary>
/// From merged series to joules: resolves windows, keeps the idle baseline, attributes joules to prompts. The one object
/// that rank 0 (and <c>verify</c>, from the files) needs.
/// </summary>
public sealed class EnergyAccount
{
    private readonly DeviceLedger _ledger;
    private readonly Dictionary<string, EnergyTimeline> _timelines;
    private readonly ValidityLimits _limits;

    /// <param name="sensors">Of all ranks; the first of a device counts.</param>
    public EnergyAccount(DeviceLedger ledger, IEnumerable<SensorCharacteristics> sensors, double intervalSeconds, ValidityLimits limits)
    {
        (_ledger, _limits) = (ledger, limits);
        var bySensor = sensors.GroupBy(s => s.Key).ToDictionary(g => g.Key, g => g.First());
        _timelines = ledger.Devices.ToDictionary(e => e.Domain.Key,
            e => new EnergyTimeline(e.Series, bySensor.GetValueOrDefault(e.Domain.Key), intervalSeconds));
    }

    /// <summary>Set from the idle window before measured windows are resolved.</summary>
    public IdleBaseline Baseline { get; private set; } = IdleBaseline.None;

    public EnergyTimeline? Timeline(string key) => _timelines.GetValueOrDefault(key);

    /// <summary>Resolves the idle window and makes it the baseline of all that follow.</summary>
    public WindowAccount ResolveIdle(EnergyWindow idle)
    {
        var account = Resolve(idle);
        Baseline = IdleBaseline.From(account.Devices);
        return account;
    }

    public WindowAccount Resolve(EnergyWindow window)
    {
        var devices = _ledger.Devices.Select(e => Resolve(e.Domain.Key, window)).ToList();
        var counted = devices.Where(d => _ledger.Counted.Any(e => e.Domain.Key == d.Key)).ToList();
        var joules = Sum(counted, d => d.Joules);
        return new WindowAccount
        {
            Window = window,
            Devices = devices,
            Counted = counted,
            Joules = joules,
            NetJoules = Sum(counted, Baseline.NetJoules),
            IdleWatts = Sum(counted, d => Baseline.Watts(d.Key)),
            CounterPowerRatio = Sum(counted, d => d.PowerJoules) is { } power and > 0 ? Sum(counted, d => d.CounterJoules) / power : null,
            Source = joules is null ? null : string.Join('+', counted.Select(d => d.Source).OfType<string>().Distinct().Order(StringComparer.Ordinal)),
            InvalidReasons = InvalidReason.Ordered(counted.Count == 0 ? [InvalidReason.NoMeter] : counted.SelectMany(d => d.InvalidReasons)),
        };
    }

    /// <summary>
    /// Shares a window's joules out to prompts. <paramref name="groupsOf"/> gives the groups of steps (data-parallel
    /// replicas, pipeline stages) that a device works for, by its key; null: all groups work on all counted devices. Null
    /// when a counted device has no joules in the window.
    /// </summary>
    public Attribution? Attribute(EnergyWindow window, IReadOnlyList<Step> steps, Func<string, IReadOnlySet<int>>? groupsOf = null)
    {
        var devices = new List<AttributedDevice>();
        foreach (var entry in _ledger.Counted)
        {
            var key = entry.Domain.Key;
            var part = window.PartOf(key);
            if (part.DurationSeconds <= 0 && window.DurationSeconds > 0) continue;
            if (_timelines[key].CurveFor(part) is not { } curve) return null;
            devices.Add(new AttributedDevice(curve, Baseline.Watts(key), groupsOf?.Invoke(key), part.EndSeconds));
        }
        return devices.Count == 0 ? null : Attribution.Compute(window, devices, steps);
    }

    /// <summary>Of a window that was cut before a device had done anything that counts, it used nothing.</summary>
    private WindowEnergy Resolve(string key, EnergyWindow window)
    {
        var part = window.PartOf(key);
        var resolved = _timelines[key].Resolve(part, _limits);
        return part.DurationSeconds > 0 || window.DurationSeconds <= 0 ? resolved : resolved with { CounterJoules = 0, InvalidReasons = [] };
    }

    private static double? Sum(List<WindowEnergy> devices, Func<WindowEnergy, double?> value)
    {
        if (devices.Count == 0) return null;
        var sum = new CompensatedSum();
        foreach (var device in devices)
        {
            if (value(device) is not { } one) return null;
            sum.Add(one);
        }
        return sum.Value;
    }
}
