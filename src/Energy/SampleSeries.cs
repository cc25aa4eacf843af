namespace Harness.Energy;

/// <summary>All readings of one domain by one rank, in order of time.</summary>
public sealed record SampleSeries(EnergyDomain Domain, int Rank, IReadOnlyList<EnergyReading> Readings)
{
    /// <summary>
    /// The series on another clock, e.g. a rank's on the run's: every timestamp goes through <paramref name="toRunClock"/>.
    /// </summary>
    public SampleSeries OnClock(Func<double, double> toRunClock) =>
        this with { Readings = Readings.Select(r => r with { TimeSeconds = toRunClock(r.TimeSeconds) }).ToArray() };
}
