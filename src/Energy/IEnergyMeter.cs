namespace Harness.Energy;

/// <summary>
/// Reads energy domains. Units, wrap-around and the peculiarities of a driver end here. Read by one
/// thread at a time; <see cref="Inspect"/> may be called beside it.
/// A meter that is absent or not permitted is one without domains, whose <see cref="Notices"/> say why.
/// </summary>
public interface IEnergyMeter : IDisposable
{
    /// <summary>Fixed from the opening on; readings come in this order.</summary>
    IReadOnlyList<EnergyDomain> Domains { get; }

    /// <summary>What a person should know: what is absent, why, and the remedy. One line each; empty when all is well.</summary>
    IReadOnlyList<string> Notices { get; }

    /// <summary>
    /// One reading per domain into <paramref name="readings"/>, without allocating and without throwing: a domain that can
    /// no longer be read gives a reading that <see cref="EnergyReading.IsLost"/>. Values that are costly to read and slow to
    /// change (temperature, clocks, memory) may be absent from most readings.
    /// </summary>
    void Read(Span<EnergyReading> readings);

    /// <summary>
    /// What decides whether the domains may be trusted; called outside measured windows. <paramref name="runProcessIds"/>
    /// are the processes of this run on this host: any other process computing on a device is foreign.
    /// </summary>
    IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds);
}

/// <summary>State of a domain outside the readings, for the manifest and for validity. Null is what could not be found out.</summary>
public sealed record DomainFacts(EnergyDomain Domain)
{
    /// <summary>The device is cut into MIG slices, so that its energy is not that of one slice's work.</summary>
    public bool? MigEnabled { get; init; }

    /// <summary>Processes of others that compute on the device.</summary>
    public int? ForeignProcesses { get; init; }

    /// <summary>
    /// Hardware of the host that domains of these kinds stand for and this meter cannot read, such as the other socket; null is none.
    /// </summary>
    public IReadOnlyList<string>? UnreadParts { get; init; }

    public string? DriverVersion { get; init; }
    public double? PowerLimitWatts { get; init; }
    public double? DefaultPowerLimitWatts { get; init; }
    public double? MinPowerLimitWatts { get; init; }
    public double? MaxPowerLimitWatts { get; init; }
    public long? MemoryTotalBytes { get; init; }

    /// <summary>By the domain's key: of a device that several ranks read there are several.</summary>
    public static ILookup<string, DomainFacts> ByDevice(IEnumerable<DomainFacts> facts) => facts.ToLookup(one => one.Domain.Key);

    /// <summary>
    /// Facts of a domain that its meter can tell nothing of beyond its numbers: whether others compute on a GPU is not known then.
    /// </summary>
    public static DomainFacts OfNumbersAlone(EnergyDomain domain) =>
        domain.Kind == DomainKind.Gpu ? new(domain) { MigEnabled = false } : NotApplicable(domain);

    /// <summary>Facts of a domain that knows neither slices nor processes (a socket, a node, a recording).</summary>
    public static DomainFacts NotApplicable(EnergyDomain domain) => new(domain) { MigEnabled = false, ForeignProcesses = 0 };
}
