namespace Harness.Energy.Meters;

/// <summary>Several meters as one, their domains in a row. Owns them.</summary>
public sealed class CompositeMeter(IReadOnlyList<IEnergyMeter> meters) : IEnergyMeter
{
    public IReadOnlyList<IEnergyMeter> Meters => meters;
    public IReadOnlyList<EnergyDomain> Domains { get; } = [.. meters.SelectMany(m => m.Domains)];
    public IReadOnlyList<string> Notices => [.. meters.SelectMany(m => m.Notices)];

    public void Read(Span<EnergyReading> readings)
    {
        for (var i = 0; i < meters.Count; i++)
        {
            var count = meters[i].Domains.Count;
            meters[i].Read(readings[..count]);
            readings = readings[count..];
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) =>
        [.. meters.SelectMany(m => m.Inspect(runProcessIds))];

    public void Dispose()
    {
        foreach (var meter in meters) meter.Dispose();
    }
}
