using System.Text.Json.Serialization;
using Harness.Energy.Sampling;

namespace Harness.Energy.Accounting;

/// <summary>What a recording shows of one device in a window.</summary>
public sealed record AuditedDevice
{
    public required EnergyDomain Domain { get; init; }

    /// <summary>Its joules are in the sum.</summary>
    public required bool IsCounted { get; init; }

    /// <summary>In how many recordings or sources it was seen: one speaks for it.</summary>
    public required int Sources { get; init; }

    /// <summary>Median pause between its readings, in s.</summary>
    public required double SampleIntervalSeconds { get; init; }

    /// <summary>Period of what its figure is made of: the counter, or else the power; in s. Null where too few updates were seen.</summary>
    public required double? UpdateSeconds { get; init; }

    /// <summary>Every reading showed another value: the sensor updates at least that often, perhaps far more often.</summary>
    public required bool UpdateIsBound { get; init; }

    /// <summary>How often its counter fell.</summary>
    public required int Resets { get; init; }

    public required DomainEnergy Figures { get; init; }
}

/// <summary>A window of a recording, judged.</summary>
/// <param name="Name">Whose window it is.</param>
/// <param name="InvalidReasons">Codes of <see cref="InvalidReason"/>; none: the joules may be believed as far as a recording tells.</param>
public sealed record AuditedWindow(
    string Name, double StartSeconds, double EndSeconds, IReadOnlyList<AuditedDevice> Devices, IReadOnlyList<string> InvalidReasons)
{
    public double DurationSeconds => EndSeconds - StartSeconds;
    public bool Valid => InvalidReasons.Count == 0;
    public double? EnergyJoules => Sum(device => device.Joules);
    public double? CounterJoules => Sum(device => device.CounterJoules);
    public double? PowerJoules => Sum(device => device.PowerJoules);
    public double? CounterPowerRatio => PowerJoules > 0 ? CounterJoules / PowerJoules : null;
    public double? AverageWatts => DurationSeconds > 0 ? EnergyJoules / DurationSeconds : null;

    [JsonIgnore] public IEnumerable<AuditedDevice> Counted => Devices.Where(device => device.IsCounted);

    private double? Sum(Func<DomainEnergy, double?> joules) => EnergyAccount.Sum(Counted.Select(device => joules(device.Figures)));
}

/// <summary>
/// Recordings judged as a run is: every device once, joules between any two times by counter and by power, and the reasons that readings
/// alone give rise to. What a sensor can resolve follows from the recording itself.
/// </summary>
public sealed class RecordingAudit
{
    private readonly DeviceLedger _ledger;
    private readonly Dictionary<string, (EnergyTimeline Timeline, SensorCharacteristics Sensor)> _devices;
    private readonly HashSet<string> _counted, _sliced;
    private readonly ValidityLimits _limits = new();

    /// <param name="facts">What the recordings tell of devices besides readings.</param>
    public RecordingAudit(IEnumerable<SampleSeries> series, IEnumerable<DomainFacts> facts)
    {
        _ledger = new DeviceLedger(series, ComputesOn.Gpus);
        _devices = _ledger.Devices.ToDictionary(device => device.Domain.Key, device =>
        {
            var sensor = SensorCharacteristics.Of(device.Series);
            return (new EnergyTimeline(device.Series, sensor, sensor.ReadSeconds, _limits), sensor);
        });
        _counted = [.. _ledger.Counted.Select(device => device.Domain.Key)];
        _sliced = [.. facts.Where(fact => fact.MigEnabled == true).Select(fact => fact.Domain.Key)];
    }

    /// <summary>Zones that show the counter of another one again: that of their key, which is counted.</summary>
    public IReadOnlyDictionary<string, string> Mirrors =>
        _ledger.Mirrors.ToDictionary(mirror => mirror.Key, mirror => mirror.Value.Domain.Key);

    /// <summary>The longest stretch of which every counted device is known; nothing where there is none.</summary>
    public (double StartSeconds, double EndSeconds)? Known
    {
        get
        {
            var parts = _counted.Select(key => _devices[key].Timeline.Known).ToList();
            if (parts.Count == 0 || parts.Any(part => part is null)) return null;
            var (start, end) = (parts.Max(part => part!.Value.StartSeconds), parts.Min(part => part!.Value.EndSeconds));
            return start < end ? (start, end) : null;
        }
    }

    /// <param name="edgeSeconds">How uncertain the window's edges are on the recordings' clock.</param>
    public AuditedWindow Judge(string name, double startSeconds, double endSeconds, double edgeSeconds)
    {
        var window = new EnergyWindow(name, WindowKind.Measured, startSeconds, endSeconds);
        List<AuditedDevice> devices = [.. _ledger.Devices.Select(device => Judge(device, window))];
        var counted = devices.Where(device => device.IsCounted).ToList();
        var reasons = counted.SelectMany(device => device.Figures.InvalidReasons).ToList();
        if (counted.Count == 0) reasons.Add(InvalidReason.NoMeter);
        if (counted.Any(device => _sliced.Contains(device.Domain.Key))) reasons.Add(InvalidReason.Mig);
        if (!(edgeSeconds <= _limits.ClockUncertaintyFraction * window.DurationSeconds)) reasons.Add(InvalidReason.ClockOffset);
        return new(name, startSeconds, endSeconds, devices, InvalidReason.Ordered(reasons));
    }

    private AuditedDevice Judge(LedgerEntry device, EnergyWindow window)
    {
        var (timeline, sensor) = _devices[device.Domain.Key];
        var figures = timeline.Resolve(window);
        var update = figures.CounterJoules != null ? sensor.CounterUpdateSeconds : sensor.UpdateSeconds;
        return new()
        {
            Domain = device.Domain,
            IsCounted = _counted.Contains(device.Domain.Key),
            Sources = device.Ranks.Count,
            SampleIntervalSeconds = sensor.ReadSeconds,
            UpdateSeconds = update,
            UpdateIsBound = update < sensor.ResolvedFromSeconds,
            Resets = timeline.Resets(window),
            Figures = figures,
        };
    }
}
