namespace Harness.Energy.Meters;

/// <summary>No meter: asked for (<c>none</c>), or what stands in for one that is not there, with the reason as its notice.</summary>
public sealed class NullMeter(params string[] notices) : IEnergyMeter
{
    public IReadOnlyList<EnergyDomain> Domains => [];
    public IReadOnlyList<string> Notices => notices;
    public void Read(Span<EnergyReading> readings) { }
    public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) => [];
    public void Dispose() { }
}
