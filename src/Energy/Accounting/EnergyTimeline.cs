using Harness.Energy.Sampling;

namespace Harness.Energy.Accounting;

/// <summary>
/// One domain's readings turned into joules between any two times, once by the cumulative counter and once by integrating
/// power (trapezoids, interpolated at the edges). Readings are dated to the sensor update they show
/// (<see cref="UpdateTimes"/>), not to the moment they were read, unless they bear its time already.
/// </summary>
internal sealed class EnergyTimeline
{
    private const double AverageFieldLagSeconds = 0.5;   // a mean over the last second is the power half a second ago

    /// <summary>In order of time.</summary>
    private readonly EnergyReading[] _readings;
    private readonly double[] _times;
    private readonly SensorCharacteristics? _sensor;
    private readonly List<double> _decreases = [];
    private readonly List<double> _implausible = [];
    private readonly EnergyReading[] _withProcessors;
    private readonly double[] _timesWithProcessors;
    private readonly double[] _news;
    private readonly PowerField? _powerField;
    private readonly ValidityLimits _limits;

    /// <param name="sensor">The domain's characteristics; null when they were not measured, which makes every window too short.</param>
    /// <param name="intervalSeconds">The sampling interval asked for.</param>
    public EnergyTimeline(SampleSeries series, SensorCharacteristics? sensor, double intervalSeconds, ValidityLimits limits)
    {
        Domain = series.Domain;
        (_sensor, _limits) = (sensor, limits);
        IntervalSeconds = intervalSeconds;
        _readings = series.Readings as EnergyReading[] ?? [.. series.Readings];
        _times = [.. _readings.Select(r => r.TimeSeconds)];
        _news = News(_readings);
        var first = Array.Find(_readings, r => !r.IsLost);
        _powerField = first.PowerField;
        if (first.PowerWatts != null) Power = BuildPower(r => r.PowerWatts);
        if (first.ModulePowerWatts != null) ModulePower = BuildPower(r => r.ModulePowerWatts);
        if (first.EnergyJoules != null)
        {
            var (times, joules, readings) = CounterPoints();
            CounterScope = Superchip.CounterScope(Domain, new(times, joules), Power, ModulePower, limits);
            Counter = new(times, joules, WattsBeside(readings));
        }
        FindImplausible();
        _withProcessors = Domain.FeelsProcessors ? Array.FindAll(_readings, r => r.Processors != null) : [];
        _timesWithProcessors = [.. _withProcessors.Select(r => r.TimeSeconds)];
    }

    public EnergyDomain Domain { get; }
    public double IntervalSeconds { get; }

    /// <summary>Joules by the counter, its origin at 0; null for a domain that has none.</summary>
    public JoulesCurve? Counter { get; }

    /// <summary>Joules by integrated power, of a superchip's GPU those of the GPU alone; null for a domain that shows none.</summary>
    public JoulesCurve? Power { get; }

    /// <summary>Likewise of the superchip that a GPU is a part of; null where its power is not shown.</summary>
    public JoulesCurve? ModulePower { get; }

    /// <summary>What the counter covers; null without a counter.</summary>
    public EnergyScope? CounterScope { get; }

    /// <summary>The power that covers what the counter does: what it may be compared with, and what stands in for it.</summary>
    private JoulesCurve? PowerOfCounter => CounterScope == EnergyScope.Module && Domain.Kind == DomainKind.Gpu ? ModulePower : Power;

    /// <summary>
    /// Until when joules are known: the last update of the counter, or else of the power; later readings that show it again know no more.
    /// </summary>
    public double LastSeconds => (Counter ?? Power)?.LastSeconds ?? double.NegativeInfinity;

    /// <summary>
    /// The curve that a window's joules are taken from: the counter, unless it fell or does not reach, then power; null
    /// when neither reaches.
    /// </summary>
    public JoulesCurve? CurveFor(EnergyWindow window) =>
        CounterServes(window) ? Counter
            : PowerFor(window) is { } power && power.Covers(window.StartSeconds, window.EndSeconds) ? power : null;

    /// <summary>The power of the counter's scope; where there is none and the counter does not serve, whatever power there is.</summary>
    private JoulesCurve? PowerFor(EnergyWindow window) => CounterServes(window) ? PowerOfCounter : PowerOfCounter ?? Power;

    /// <summary>
    /// From when until when there is news of the device on both sides and every curve that it has is known; nothing where it has none.
    /// </summary>
    public (double StartSeconds, double EndSeconds)? Known
    {
        get
        {
            JoulesCurve[] curves = [.. new[] { Counter, Power, ModulePower }.OfType<JoulesCurve>()];
            return curves.Length == 0 || _news.Length == 0 ? null
                : (curves.Max(curve => Math.Max(curve.FirstSeconds, _news[0])),
                    curves.Min(curve => Math.Min(curve.LastSeconds, _news[^1])));
        }
    }

    /// <summary>How often the counter fell in a window.</summary>
    public int Resets(EnergyWindow window) =>
        _decreases.Chunk(2).Count(fall => fall[1] >= window.StartSeconds && fall[0] <= window.EndSeconds);

    public DomainEnergy Resolve(EnergyWindow window)
    {
        var first = FirstAtOrAfter(_times, window.StartSeconds);
        var inside = _readings.Skip(first).TakeWhile(r => r.TimeSeconds <= window.EndSeconds).ToList();
        var counter = CounterServes(window) ? Counter!.Between(window.StartSeconds, window.EndSeconds) : null;
        var powerCurve = PowerFor(window);
        var power = powerCurve?.Between(window.StartSeconds, window.EndSeconds);
        var result = new DomainEnergy
        {
            Host = Domain.Host,
            Device = Domain.Device,
            Kind = Domain.Kind,
            Module = Domain.Module,
            DurationSeconds = window.DurationSeconds,
            CounterJoules = counter,
            PowerJoules = power,
            GpuPowerJoules = Domain.Kind == DomainKind.Gpu && powerCurve != Power
                ? Power?.Between(window.StartSeconds, window.EndSeconds) : null,
            Source = counter != null ? CounterSource() : power != null ? PowerSource(powerCurve) : null,
            Samples = inside.Count,
            LongestGapSeconds = LongestGap(window),
            StartTemperatureCelsius = inside.Select(r => r.TemperatureCelsius).FirstOrDefault(t => t != null),
            MaxTemperatureCelsius = inside.Max(r => r.TemperatureCelsius),
            MeanSmClockMhz = inside.Average(r => r.SmClockMhz),
            MaxMemoryUsedBytes = inside.Max(r => r.MemoryUsedBytes),
            PowerLimitWatts = inside.Select(r => r.PowerLimitWatts).LastOrDefault(w => w != null),
            OthersProcessorSeconds = ProcessorsIn(window)?.OthersSeconds,
            ThrottleReasons = inside.Aggregate((ulong?)null, (all, r) => r.ThrottleReasons is { } bits ? (all ?? 0) | bits : all),
            InvalidReasons = [],
        };
        return result with { InvalidReasons = InvalidReason.Ordered(Reasons(window, inside, result)) };
    }

    private IEnumerable<string> Reasons(EnergyWindow window, List<EnergyReading> inside, DomainEnergy result)
    {
        if (result.Joules is null || inside.Count == 0 || inside.Any(Lacks)) yield return InvalidReason.MeterLost;
        if (HasAny(_decreases, window)) yield return InvalidReason.CounterDecreased;
        if (HasAny(_implausible, window)) yield return InvalidReason.PowerImplausible;
        var longestGap = _limits.MaximumGapIntervals * Math.Max(IntervalSeconds, _sensor?.UpdateSeconds ?? 0);
        if (!(result.LongestGapSeconds <= longestGap)) yield return InvalidReason.SampleGap;
        var resolution = result.CounterJoules != null ? _sensor?.CounterUpdateSeconds : _sensor?.UpdateSeconds;
        if (!(window.DurationSeconds >= _limits.MinimumWindowSeconds(resolution))) yield return InvalidReason.WindowTooShort;
        if (Domain.Kind == DomainKind.Gpu && !((result.ThrottleReasons & ThrottleReasons.Spoiling) == 0))
            yield return InvalidReason.Throttled;
        if (Domain.FeelsProcessors && !IsTheRunsAlone(ProcessorsIn(window), window.DurationSeconds, _limits))
            yield return InvalidReason.DeviceShared;
        // Of two scopes there is nothing to compare.
        if (Counter != null && PowerOfCounter != null
            && !(Math.Abs(result.CounterPowerRatio - 1 ?? double.NaN) <= _limits.CounterPowerTolerance))
            yield return InvalidReason.CounterPowerMismatch;
    }

    private bool Lacks(EnergyReading reading) => (Counter != null && reading.EnergyJoules is null)
        || (Power != null && reading.PowerWatts is null) || (ModulePower != null && reading.ModulePowerWatts is null);

    private bool CounterServes(EnergyWindow window) =>
        Counter?.Covers(window.StartSeconds, window.EndSeconds) == true
        && !HasAny(_decreases, window);

    /// <summary>
    /// What the processors did in the window, from the nearest looks at them outside it, or else inside; null with fewer than two.
    /// </summary>
    private ProcessorTime? ProcessorsIn(EnergyWindow window)
    {
        var first = Math.Max(0, FirstAfter(_timesWithProcessors, window.StartSeconds) - 1);
        var last = Math.Min(FirstAtOrAfter(_timesWithProcessors, window.EndSeconds), _withProcessors.Length - 1);
        if (last <= first) return null;
        var (from, to) = (ProcessorsAt(window.StartSeconds, first), ProcessorsAt(window.EndSeconds, last - 1));
        return new(to.AllSeconds - from.AllSeconds, to.BusySeconds - from.BusySeconds, to.RunSeconds - from.RunSeconds);
    }

    /// <summary>Between two looks, in proportion to time.</summary>
    private ProcessorTime ProcessorsAt(double seconds, int left)
    {
        var (a, b) = (_withProcessors[left], _withProcessors[left + 1]);
        var share = Math.Clamp((seconds - a.TimeSeconds) / (b.TimeSeconds - a.TimeSeconds), 0, 1);
        var (before, after) = (a.Processors!.Value, b.Processors!.Value);
        double Between(double from, double to) => from + (to - from) * share;
        return new(Between(before.AllSeconds, after.AllSeconds), Between(before.BusySeconds, after.BusySeconds),
            Between(before.RunSeconds, after.RunSeconds));
    }

    private static bool HasAny(List<double> times, EnergyWindow window) =>
        times.Any(t => t >= window.StartSeconds && t <= window.EndSeconds);

    /// <summary>But for what a system does for itself, and one tick of each processor, to which their clocks are known.</summary>
    private static bool IsTheRunsAlone(ProcessorTime? processors, double seconds, ValidityLimits limits) => processors is { } time
        && time.OthersSeconds <= Math.Max(limits.OthersOfBusyTime * time.BusySeconds, limits.OthersOfAllTime * time.AllSeconds)
            + ProcessorLoad.TickSeconds * Math.Round(time.AllSeconds / seconds);

    /// <summary>Rises of the counter and values of the power that no device of the kind can have (<see cref="PlausiblePower"/>).</summary>
    private void FindImplausible()
    {
        var moved = default(EnergyReading);     // when the counter last moved: what it then shows at once may have been drawn since
        foreach (var reading in _readings)
        {
            if (IsImplausible(reading.PowerWatts, Domain.Kind)
                || IsImplausible(reading.ModulePowerWatts, DomainKind.Module)) _implausible.Add(reading.TimeSeconds);
            if (reading.EnergyJoules is not { } joules || joules == moved.EnergyJoules) continue;
            if (joules - moved.EnergyJoules > PlausiblePower.Joules(Domain.Kind, reading.TimeSeconds - moved.TimeSeconds
                + (_sensor?.CounterUpdateSeconds ?? 0)))
            {
                _implausible.Add(moved.TimeSeconds);
                _implausible.Add(reading.TimeSeconds);
            }
            moved = reading;
        }
    }

    private static bool IsImplausible(double? watts, DomainKind kind) =>
        watts is { } there && !(there >= 0 && there <= PlausiblePower.Watts(kind));

    private string CounterSource() =>
        $"{Domain.Source}{(CounterScope == EnergyScopes.Of(Domain.Kind) ? "" : Superchip.OfModule)}_counter";

    private string PowerSource(JoulesCurve? curve) =>
        $"{Domain.Source}{(curve == Power ? "" : Superchip.OfModule)}_power_{PowerFields.Name(_powerField ?? PowerField.Unspecified)}";

    /// <summary>
    /// The longest stretch without news, edge to edge: without a reading, or with a counter that stood still although it
    /// was read. Absent when there is no news before or after the window.
    /// </summary>
    private double? LongestGap(EnergyWindow window)
    {
        var before = FirstAfter(_news, window.StartSeconds) - 1;
        var after = FirstAtOrAfter(_news, window.EndSeconds);
        if (before < 0 || after == _news.Length) return null;
        var longest = 0.0;
        for (var i = before; i < after; i++) longest = Math.Max(longest, _news[i + 1] - _news[i]);
        return longest;
    }

    /// <summary>The first of ascending times that is not before this one; their number where none is.</summary>
    private static int FirstAtOrAfter(double[] times, double seconds)
    {
        var (low, high) = (0, times.Length);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (times[middle] < seconds) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    private static int FirstAfter(double[] times, double seconds) => FirstAtOrAfter(times, Math.BitIncrement(seconds));

    private static double[] News(EnergyReading[] readings)
    {
        var news = new List<double>();
        var last = default(EnergyReading);
        foreach (var reading in readings)
        {
            if (reading.IsLost) continue;
            if (reading.EnergyJoules is null || reading.EnergyJoules != last.EnergyJoules) news.Add(reading.TimeSeconds);
            last = reading;
        }
        return [.. news];
    }

    /// <summary>
    /// One point per update of the counter, with the readings that show it. A reset is noted and bridged as no energy, so that later
    /// windows can still be resolved.
    /// </summary>
    private (double[] Seconds, double[] Joules, EnergyReading[] Readings) CounterPoints()
    {
        var used = Array.FindAll(_readings, r => r.EnergyJoules != null);
        var joules = new double[used.Length];
        var (lost, origin) = (0.0, used[0].EnergyJoules!.Value);
        for (var i = 0; i < used.Length; i++)
        {
            if (i > 0 && used[i].EnergyJoules < used[i - 1].EnergyJoules)
            {
                lost += used[i - 1].EnergyJoules!.Value - used[i].EnergyJoules!.Value;
                // the reset lies between the two samples: a window that holds either moment is spoilt
                _decreases.Add(used[i - 1].TimeSeconds);
                _decreases.Add(used[i].TimeSeconds);
            }
            joules[i] = used[i].EnergyJoules!.Value - origin + lost;
        }
        var dated = Dated(used, joules, _sensor?.CounterUpdateSeconds, alwaysMoves: true);
        var points = Distinct(dated);
        return ([.. points.Select(i => dated[i])], [.. points.Select(i => joules[i])], [.. points.Select(i => used[i])]);
    }

    /// <summary>Power at the counter's points, of what the counter covers; null where it does not tell its course between them.</summary>
    private double[]? WattsBeside(EnergyReading[] readings)
    {
        var watts = Array.ConvertAll(readings, r =>
            PowerOfCounter == null ? null : PowerOfCounter == Power ? r.PowerWatts : r.ModulePowerWatts);
        return _powerField == PowerField.Instant && SensorsUpdateTogether() && watts.All(w => w != null)
            ? Array.ConvertAll(watts, w => w!.Value) : null;
    }

    private JoulesCurve BuildPower(Func<EnergyReading, double?> of)
    {
        var used = Array.FindAll(_readings, r => of(r) != null);
        var watts = used.Select(r => of(r)!.Value).ToArray();
        // where counter and power update together, the counter dates both: it moves at every update, power need not
        var dated = SensorsUpdateTogether() && used.All(r => r.EnergyJoules != null)
            ? Dated(used, used.Select(r => r.EnergyJoules!.Value).ToArray(), _sensor!.CounterUpdateSeconds, alwaysMoves: true)
            : Dated(used, watts, _sensor?.PowerUpdateSeconds, alwaysMoves: false);
        if (_powerField == PowerField.Average1s) dated = [.. dated.Select(t => t - AverageFieldLagSeconds)];
        var points = Distinct(dated);
        var joules = new double[points.Count];
        for (var i = 1; i < points.Count; i++)
        {
            var (a, b) = (points[i - 1], points[i]);
            joules[i] = joules[i - 1] + (dated[b] - dated[a]) * (watts[a] + watts[b]) / 2;
        }
        return new JoulesCurve([.. points.Select(i => dated[i])], joules);
    }

    /// <summary>A power value that never changed has no period of its own to contradict the counter's.</summary>
    private bool SensorsUpdateTogether() =>
        _sensor?.CounterUpdateSeconds is { } counter
            && (_sensor.PowerUpdateSeconds is not { } power || Math.Abs(power / counter - 1) < 0.2);

    /// <summary>When the values were current.</summary>
    private double[] Dated(EnergyReading[] readings, double[] values, double? updateSeconds, bool alwaysMoves)
    {
        double[] times = [.. readings.Select(r => r.TimeSeconds)];
        return Domain.IsDatedAtItsSource || updateSeconds < _sensor?.ResolvedFromSeconds ? times
            : UpdateTimes.Estimate(times, values, updateSeconds, alwaysMoves);
    }

    /// <summary>Indices of the first of every run of equal times.</summary>
    private static List<int> Distinct(double[] times)
    {
        var points = new List<int>(times.Length);
        for (var i = 0; i < times.Length; i++)
            if (points.Count == 0 || times[i] > times[points[^1]]) points.Add(i);
        return points;
    }
}
