using Harness.Energy.Sampling;

namespace Harness.Energy.Meters;

/// <summary>
/// A meter of sockets or of a whole node whose readings also tell what the machine's processors did, so that others' work on them is
/// seen. Owns the meter.
/// </summary>
public sealed class MeterWithLoad : IEnergyMeter
{
    /// <summary>Between two looks at the processors: ten ticks of their clock, and a small cost where there are hundreds of them.</summary>
    private const double IntervalSeconds = 10 * ProcessorLoad.TickSeconds;

    private readonly IEnergyMeter _meter;
    private readonly ProcessorLoad? _load;
    private readonly double[] _next;

    /// <param name="load">Null where the system does not tell, so that others' work cannot be ruled out.</param>
    public MeterWithLoad(IEnergyMeter meter, ProcessorLoad? load)
    {
        (_meter, _load) = (meter, load);
        _next = new double[meter.Domains.Count];
        Array.Fill(_next, double.NegativeInfinity);
    }

    public IReadOnlyList<EnergyDomain> Domains => _meter.Domains;
    public IReadOnlyList<string> Notices => _meter.Notices;

    public void Read(Span<EnergyReading> readings)
    {
        _meter.Read(readings);
        ProcessorTime? now = null;
        for (var i = 0; i < readings.Length && _load != null; i++)
        {
            // by the readings' own times: those of a program come seldom, and show again until the next
            if (readings[i].TimeSeconds < _next[i]) continue;
            now ??= _load.Read();
            readings[i] = readings[i] with { Processors = now };
            _next[i] = readings[i].TimeSeconds + IntervalSeconds;
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) => _meter.Inspect(runProcessIds);

    public void Dispose()
    {
        _meter.Dispose();
        _load?.Dispose();
    }
}
