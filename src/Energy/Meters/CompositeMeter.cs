namespace Harness.Energy.Meters;

/// <summary>
/// Several meters as one, their domains in a row. Owns them. Where two meters call a domain of theirs by one name, the later one's has its
/// meter's before it (<c>perf-package-0</c>), so that each has readings of its own.
/// </summary>
public sealed class CompositeMeter : IEnergyMeter
{
    private readonly Dictionary<(IEnergyMeter Meter, EnergyDomain Own), EnergyDomain> _named = [];

    public CompositeMeter(IReadOnlyList<IEnergyMeter> meters)
    {
        Meters = meters;
        var keys = new HashSet<string>();
        foreach (var meter in meters)
            foreach (var own in meter.Domains)
            {
                var domain = own;
                for (var before = own.Source; !keys.Add(domain.Key); before += $"-{own.Source}")
                    domain = own with { Device = $"{before}-{own.Device}" };
                _named[(meter, own)] = domain;
            }
        Domains = [.. meters.SelectMany(meter => meter.Domains.Select(own => _named[(meter, own)]))];
    }

    public IReadOnlyList<IEnergyMeter> Meters { get; }
    public IReadOnlyList<EnergyDomain> Domains { get; }
    public IReadOnlyList<string> Notices => [.. Meters.SelectMany(m => m.Notices)];

    public void Read(Span<EnergyReading> readings)
    {
        for (var i = 0; i < Meters.Count; i++)
        {
            var count = Meters[i].Domains.Count;
            Meters[i].Read(readings[..count]);
            readings = readings[count..];
        }
    }

    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) => [.. Meters.SelectMany(meter =>
        meter.Inspect(runProcessIds).Select(facts =>
            facts with { Domain = _named.GetValueOrDefault((meter, facts.Domain), facts.Domain) }))];

    public void Dispose()
    {
        foreach (var meter in Meters) meter.Dispose();
    }
}
