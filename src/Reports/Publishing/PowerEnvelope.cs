using Harness.Energy;

namespace Harness.Reports.Publishing;

/// <summary>
/// Watts of one device over time, in at most so many buckets of equal width, each with the lowest, mean and highest sample.
/// </summary>
/// <param name="Derived">From differences of the energy counter, since there is no reading of power: then every point is a mean.</param>
internal sealed record PowerSeries(EnergyDomain Domain, bool Derived, bool Thinned, IReadOnlyList<double> Seconds,
    IReadOnlyList<double> Low, IReadOnlyList<double> Mean, IReadOnlyList<double> High);

/// <summary>Takes a device's readings in order of time and keeps no more than its buckets.</summary>
internal sealed class PowerEnvelope(EnergyDomain domain, double start, double end, int buckets)
{
    /// <summary>A counter is updated now and then; over fewer samples its differences are noise.</summary>
    private const int CounterSamples = 4;

    private readonly Bucket[] _power = new Bucket[buckets];
    private readonly Bucket[] _counter = new Bucket[buckets];
    private (double Seconds, double Joules)? _last;
    private int _since;

    public void Add(in EnergyReading reading)
    {
        if (reading.PowerWatts is { } watts) _power[Of(reading.TimeSeconds)].Add(reading.TimeSeconds, watts);
        if (reading.EnergyJoules is not { } joules) return;
        if (_last is not { } last || joules < last.Joules)
        {
            (_last, _since) = ((reading.TimeSeconds, joules), 0);
        }
        else if (++_since >= CounterSamples && reading.TimeSeconds > last.Seconds)
        {
            var middle = (reading.TimeSeconds + last.Seconds) / 2;
            _counter[Of(middle)].Add(middle, (joules - last.Joules) / (reading.TimeSeconds - last.Seconds));
            (_last, _since) = ((reading.TimeSeconds, joules), 0);
        }
    }

    /// <summary>Null where there was nothing to draw.</summary>
    public PowerSeries? Series()
    {
        var derived = !_power.Any(bucket => bucket.Count > 0);
        var filled = (derived ? _counter : _power).Where(bucket => bucket.Count > 0).ToList();
        if (filled.Count == 0) return null;
        double[] Numbers(Func<Bucket, double> value, int digits) => [.. filled.Select(bucket => Rounded.Digits(value(bucket), digits))];
        return new(domain, derived, filled.Any(bucket => bucket.Count > 1),
            Numbers(b => b.Seconds / b.Count, 7), Numbers(b => b.Low, 5), Numbers(b => b.Watts / b.Count, 5), Numbers(b => b.High, 5));
    }

    private int Of(double seconds) => end > start ? (int)Math.Clamp((seconds - start) / (end - start) * buckets, 0, buckets - 1) : 0;

    private struct Bucket
    {
        public int Count;
        public double Seconds, Watts, Low, High;

        public void Add(double seconds, double watts)
        {
            (Low, High) = Count == 0 ? (watts, watts) : (Math.Min(Low, watts), Math.Max(High, watts));
            (Count, Seconds, Watts) = (Count + 1, Seconds + seconds, Watts + watts);
        }
    }
}
