namespace Harness.Energy.Meters;

/// <summary>A whole number of the operating system that is read again and again, without allocating and without throwing.</summary>
internal interface INumber : IDisposable
{
    /// <summary>The number now; null where it can no longer be read.</summary>
    long? Read();
}

/// <summary>A number and what one of it is worth: 1e-6 of a file in microjoules.</summary>
internal readonly record struct Scaled(INumber Number, double Unit)
{
    public double? Read() => Number.Read() * Unit;
}

/// <summary>One domain's numbers: cumulative joules, watts, or both.</summary>
internal sealed record Sensor(EnergyDomain Domain) : IDisposable
{
    /// <summary>J; never wraps.</summary>
    public Scaled? Joules { get; init; }

    /// <summary>W.</summary>
    public Scaled? Watts { get; init; }

    public PowerField Field { get; init; } = PowerField.Unspecified;

    public void Dispose()
    {
        Joules?.Number.Dispose();
        Watts?.Number.Dispose();
    }
}

/// <summary>Domains whose joules and watts are plain numbers of the operating system.</summary>
/// <param name="freshness">
/// A number that moves with every update of all of them, so that counters and powers of two updates are not taken for those of one;
/// null where there is none.
/// </param>
internal sealed class SensorMeter(IRunClock clock, IReadOnlyList<Sensor> sensors, INumber? freshness, IReadOnlyList<string> notices)
    : IEnergyMeter
{
    /// <summary>An update in the midst of a look is rare (one look takes microseconds), two in a row do not happen.</summary>
    private const int Looks = 3;

    public IReadOnlyList<EnergyDomain> Domains { get; } = [.. sensors.Select(sensor => sensor.Domain)];
    public IReadOnlyList<string> Notices => notices;

    public void Read(Span<EnergyReading> readings)
    {
        for (var look = 1; ; look++)
        {
            var update = freshness?.Read();
            for (var i = 0; i < readings.Length; i++) readings[i] = Read(sensors[i]);
            if (freshness?.Read() == update || look == Looks) return;
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. Domains.Select(DomainFacts.OfNumbersAlone)];

    public void Dispose()
    {
        foreach (var sensor in sensors) sensor.Dispose();
        freshness?.Dispose();
    }

    private EnergyReading Read(Sensor sensor)
    {
        var before = clock.Seconds;
        var (joules, watts) = (sensor.Joules?.Read(), sensor.Watts?.Read());
        return new EnergyReading
        {
            TimeSeconds = (before + clock.Seconds) / 2,
            EnergyJoules = joules,
            PowerWatts = watts,
            PowerField = watts is null ? null : sensor.Field,
        };
    }
}
