using System.Text.Json.Serialization;
using Harness.Energy.Clocks;
using Harness.Energy.Sampling;

namespace Harness.Energy.Accounting;

/// <summary>Where a rank ran, and which domains it read.</summary>
public sealed record RankPlace(int Rank, string Host, int Replica, IReadOnlyList<string> Reads, ClockMap Clock, SamplerCost Sampling);

/// <summary>
/// Everything besides steps that the energy figures of one piece of a run follow from. It is written as <c>energy.json</c>, its samples
/// as <c>power.csv</c> and its windows as <c>windows.jsonl</c>, so that anyone can compute the figures again.
/// </summary>
public sealed record EnergyEvidence
{
    public required double SampleIntervalSeconds { get; init; }
    public required ValidityLimits Limits { get; init; }
    public required IReadOnlyList<EnergyDomain> Domains { get; init; }
    public required IReadOnlyList<SensorCharacteristics> Sensors { get; init; }

    /// <summary>As inspected before and after the measured windows, by every rank that reads the domain.</summary>
    public required IReadOnlyList<DomainFacts> Facts { get; init; }
    public required IReadOnlyList<RankPlace> Ranks { get; init; }
    public required int WorldSize { get; init; }

    /// <summary>Ranks compute on the GPUs that they read; false for the CPU backend.</summary>
    public required bool ComputesOnGpus { get; init; }
    public double? MaxStartTemperatureCelsius { get; init; }
    public required bool RanToEnd { get; init; }

    /// <summary>
    /// When second 0 of the run's clock was, by rank 0's wall clock; for what is known by the hour, such as carbon intensity.
    /// </summary>
    public DateTimeOffset? OriginUtc { get; init; }

    /// <summary>Of every machine, on rank 0's clock; absent where there were none, and in older files.</summary>
    public IReadOnlyList<Suspension>? Suspensions { get; init; }

    /// <summary>On rank 0's clock, like the windows.</summary>
    [JsonIgnore] public IReadOnlyList<SampleSeries> Series { get; init; } = [];
    [JsonIgnore] public IReadOnlyList<EnergyWindow> Windows { get; init; } = [];

    /// <summary>
    /// What each rank did with its time; null where that is not known: of a start that was killed, and in older directories.
    /// </summary>
    [JsonIgnore] public IReadOnlyList<RankPhases>? Phases { get; init; }

    /// <summary>
    /// Where the ranks compute: on the GPU that each reads, or on their hosts' sockets; null where a rank does not know its
    /// GPU and no meter covers its whole node, or all accelerators of it.
    /// </summary>
    [JsonIgnore]
    public IReadOnlyList<ComputePlace>? ComputePlaces
    {
        get
        {
            if (!ComputesOnGpus) return [.. Ranks.Select(rank => new ComputePlace(rank.Host, null))];
            var gpus = Domains.Where(domain => domain.Kind == DomainKind.Gpu).ToDictionary(domain => domain.Key, domain => domain.Device);
            var nodes = Domains.Where(domain => domain.Kind == DomainKind.Node).Select(domain => domain.Host).ToHashSet();
            var places = Ranks.Select(rank => new ComputePlace(rank.Host,
                rank.Reads.Where(gpus.ContainsKey).Select(key => gpus[key]).FirstOrDefault() ?? AnyOfAll(rank.Host)
                    ?? (nodes.Contains(rank.Host) ? "any" : null))).ToList();
            return places.Any(place => place.GpuUuid == null) ? null : places;
        }
    }

    /// <summary>One of a host's accelerators where a meter reads all that it has: which is a rank's does not matter then.</summary>
    private string? AnyOfAll(string host) =>
        Domains.FirstOrDefault(domain => domain.Host == host && domain is { Kind: DomainKind.Gpu, IsOneOfAll: true })?.Device;

    /// <summary>The clock of a replica's first rank, on which its batches' times are.</summary>
    public ClockMap ClockOf(int replica) => Ranks.First(place => place.Replica == replica).Clock;

    /// <summary>
    /// By domain, the ranks that work on it: those that read it, where every rank of its host reads one of its own; else with them all that
    /// are on its host.
    /// </summary>
    public IReadOnlyDictionary<string, IReadOnlySet<int>> RanksByDomain() => ByDomain(place => place.Rank);

    /// <summary>By domain, the replicas that it works for: those of the ranks that work on it.</summary>
    public IReadOnlyDictionary<string, IReadOnlySet<int>> ReplicasByDomain() => ByDomain(place => place.Replica);

    private Dictionary<string, IReadOnlySet<int>> ByDomain(Func<RankPlace, int> of)
    {
        var all = Ranks.Select(of).ToHashSet();
        var onHost = Ranks.GroupBy(rank => rank.Host).ToDictionary(host => host.Key, host =>
            (Working: host.Select(of).ToHashSet(), OwnEach: host.All(rank => rank.Reads.Count > 0)));
        var readers = Ranks.SelectMany(rank => rank.Reads.Select(key => (key, Reader: of(rank))))
            .ToLookup(read => read.key, read => read.Reader);
        return Domains.DistinctBy(domain => domain.Key).ToDictionary(domain => domain.Key, domain =>
        {
            var working = readers[domain.Key].ToHashSet();
            if (onHost.TryGetValue(domain.Host, out var host) && !host.OwnEach)
            {
                // One set for all domains of a host: attribution finds equal ones again.
                if (working.IsSubsetOf(host.Working)) working = host.Working;
                else working.UnionWith(host.Working);
            }
            return (IReadOnlySet<int>)(working.Count > 0 ? working : all);
        });
    }
}
