using System.Text.Json.Serialization;

namespace Harness.Energy.Sampling;

/// <summary>
/// How finely one domain's sensor resolves time and energy, measured on the spot, because drivers do not say: the counter
/// of a GPU moves every 20 … 100 ms, whatever interval it is read at.
/// </summary>
/// <param name="Key"><see cref="EnergyDomain.Key"/>.</param>
/// <param name="CounterUpdateSeconds">Time between two updates of the counter; null when fewer than two were seen.</param>
/// <param name="CounterStepJoules">The smallest increment seen: an upper bound of the counter's resolution.</param>
/// <param name="PowerUpdateSeconds">Likewise for the power reading; null as well when its value never changed.</param>
/// <param name="ReadSeconds">Median time between two readings in a busy loop: what one reading costs, and how sharply updates were
/// seen.</param>
public sealed record SensorCharacteristics(
    [property: JsonPropertyName("device")] string Key,
    [property: JsonPropertyName("counter_update_s")] double? CounterUpdateSeconds,
    [property: JsonPropertyName("counter_step_j")] double? CounterStepJoules,
    [property: JsonPropertyName("power_update_s")] double? PowerUpdateSeconds,
    [property: JsonPropertyName("read_s")] double ReadSeconds)
{
    /// <summary>The update period that bounds how well a window's edges are known; null when neither sensor showed one.</summary>
    [JsonIgnore]
    public double? UpdateSeconds => CounterUpdateSeconds ?? PowerUpdateSeconds;

    /// <summary>
    /// Shorter periods are no more than upper bounds: a recording whose every reading shows another value tells that updates are no
    /// rarer than its readings, and not when they are. 0 for a sensor that was measured.
    /// </summary>
    [JsonIgnore]
    public double ResolvedFromSeconds { get; init; }

    private const int EnoughUpdates = 12;

    /// <summary>Fewer tell no period: a program that tells once a second or two is listened to for longer.</summary>
    private const int FewestUpdates = 4, Patience = 4;

    /// <summary>
    /// Reads the meter about once a millisecond until every domain has shown a dozen updates, for at least
    /// <paramref name="atLeastSeconds"/> and at most <paramref name="atMostSeconds"/>, four times that for a program that tells seldom.
    /// Done once, before anything is measured.
    /// </summary>
    public static IReadOnlyList<SensorCharacteristics> Measure(IEnergyMeter meter, IRunClock clock, double atLeastSeconds = 0.3,
        double atMostSeconds = 3)
    {
        var readings = new EnergyReading[meter.Domains.Count];
        var observations = meter.Domains.Select(d => new Observation(d)).ToArray();
        var start = clock.Seconds;
        while (observations.Length > 0)
        {
            meter.Read(readings);
            for (var i = 0; i < readings.Length; i++) observations[i].Add(readings[i]);
            var elapsed = clock.Seconds - start;
            var longest = observations.Any(o => o.IsSeldom) ? Patience * atMostSeconds : atMostSeconds;
            if (elapsed >= longest || (elapsed >= atLeastSeconds && observations.All(o => o.Updates >= EnoughUpdates))) break;
            clock.Wait(clock.Seconds + 0.0005, null);
        }
        return [.. observations.Select(o => o.Conclude())];
    }

    /// <summary>
    /// What a recording shows of its sensor. Where two readings or more show each value, updates are told as when they were measured; else
    /// the periods are upper bounds.
    /// </summary>
    public static SensorCharacteristics Of(SampleSeries recorded)
    {
        var observation = new Observation(recorded.Domain);
        foreach (var reading in recorded.Readings)
            if (!reading.IsLost) observation.Add(reading);
        var shown = observation.Conclude();
        return shown with { ResolvedFromSeconds = ReadingsPerUpdate * shown.ReadSeconds };
    }

    private const double ReadingsPerUpdate = 2;

    private sealed class Observation(EnergyDomain domain)
    {
        private readonly List<double> _counterUpdates = [];
        private readonly List<double> _powerUpdates = [];
        private readonly List<double> _pauses = [];
        private EnergyReading? _last;
        private double? _smallestStep;

        public int Updates => Math.Max(_counterUpdates.Count, _last?.EnergyJoules is null ? _powerUpdates.Count : 0);

        /// <summary>Every reading is an update, and too few have come to tell how often they do.</summary>
        public bool IsSeldom => domain.IsDatedAtItsSource && Updates < FewestUpdates && _last is { IsLost: false };

        public void Add(in EnergyReading reading)
        {
            if (_last is { } last && reading.TimeSeconds > last.TimeSeconds && domain.IsDatedAtItsSource)
            {
                // a line is an update, whether or not its value is another
                _pauses.Add(reading.TimeSeconds - last.TimeSeconds);
                if (reading.EnergyJoules != null) _counterUpdates.Add(reading.TimeSeconds);
                if (reading.PowerWatts != null) _powerUpdates.Add(reading.TimeSeconds);
                if (reading.EnergyJoules - last.EnergyJoules is { } rise and > 0) _smallestStep = Math.Min(rise, _smallestStep ?? rise);
            }
            else if (_last is { } before && reading.TimeSeconds > before.TimeSeconds)
            {
                // a change between two readings happened half-way between them, give or take half their distance
                var between = (before.TimeSeconds + reading.TimeSeconds) / 2;
                _pauses.Add(reading.TimeSeconds - before.TimeSeconds);
                if (reading.EnergyJoules - before.EnergyJoules is { } step and > 0)
                {
                    _counterUpdates.Add(between);
                    _smallestStep = Math.Min(step, _smallestStep ?? step);
                }
                if (reading.PowerWatts != before.PowerWatts) _powerUpdates.Add(between);
            }
            if (_last is null || reading.TimeSeconds > _last.Value.TimeSeconds) _last = reading;
        }

        public SensorCharacteristics Conclude()
        {
            _pauses.Sort();
            return new SensorCharacteristics(domain.Key, Period(_counterUpdates), _smallestStep, Period(_powerUpdates),
                _pauses.Count == 0 ? 0 : _pauses[_pauses.Count / 2]);
        }

        /// <summary>An update that changed nothing leaves a gap of two periods or more: gaps are counted in units of a short one.</summary>
        private static double? Period(List<double> updates)
        {
            if (updates.Count < 3) return null;
            var gaps = updates.Skip(1).Zip(updates, (b, a) => b - a).Order().ToList();
            var unit = gaps[gaps.Count / 4];
            var periods = gaps.Sum(g => Math.Max(1, Math.Round(g / unit)));
            return (updates[^1] - updates[0]) / periods;
        }
    }
}
