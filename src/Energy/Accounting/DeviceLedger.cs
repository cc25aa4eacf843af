namespace Harness.Energy.Accounting;

/// <summary>A domain of the run, counted once, with the one series that speaks for it.</summary>
/// <param name="Ranks">All ranks that read it, ascending.</param>
internal sealed record LedgerEntry(EnergyDomain Domain, SampleSeries Series, IReadOnlyList<int> Ranks);

/// <summary>What the backend of a run computes on, by which its energy is chosen among what is read.</summary>
internal enum ComputesOn { Gpus, Processors }

/// <summary>
/// Merges the series of all ranks so that a device counts once, by host and identity, however many ranks read it and however many zones
/// show its counter. Of several series of a device the one with the fewest lost readings speaks, of equals the lowest rank's; they are
/// not interleaved, since their clocks differ by more than a counter's steps.
/// </summary>
internal sealed class DeviceLedger
{
    /// <summary>Kinds that hold what computes, the closest first; the last is what is left, and covers nothing that computes.</summary>
    private static readonly DomainKind[][] s_ofGpus =
        [[DomainKind.Gpu], [DomainKind.Module], [DomainKind.Node], [DomainKind.Package, DomainKind.Dram]];

    private static readonly DomainKind[][] s_ofProcessors =
        [[DomainKind.Package, DomainKind.Dram], [DomainKind.Module], [DomainKind.Node], [DomainKind.Gpu]];

    /// <param name="series">Of several meters that read the same of a host, the one that comes first here speaks.</param>
    public DeviceLedger(IEnumerable<SampleSeries> series, ComputesOn computesOn)
    {
        List<SampleSeries> inOrder = [.. series];
        List<LedgerEntry> all = [.. inOrder.GroupBy(s => s.Domain.Key).Select(Merge).OrderBy(e => e.Domain.Host, StringComparer.Ordinal)
            .ThenBy(e => e.Domain.Kind).ThenBy(e => e.Domain.Device, StringComparer.Ordinal)];
        Mirrors = FindMirrors(all);
        Devices = [.. all.Where(e => !Mirrors.ContainsKey(e.Domain.Key))];
        var speakers = inOrder.GroupBy(s => (s.Domain.Host, s.Domain.Kind))
            .ToDictionary(same => same.Key, same => Meter(same.First().Domain));
        Speaking = [.. Devices.Where(e => speakers[(e.Domain.Host, e.Domain.Kind)] == Meter(e.Domain))];
        var choices = computesOn == ComputesOn.Gpus ? s_ofGpus : s_ofProcessors;
        Counted = choices.Select(kinds => Speaking.Where(e => kinds.Contains(e.Domain.Kind)).ToList())
            .FirstOrDefault(c => c.Count > 0) ?? [];
    }

    /// <summary>Every domain of the run, once, ordered by host, kind and identity.</summary>
    public IReadOnlyList<LedgerEntry> Devices { get; }

    /// <summary>
    /// Those of <see cref="Devices"/> that stand for their kind on their host: where two meters read the sockets of a machine, those of the
    /// meter that was named first.
    /// </summary>
    public IReadOnlyList<LedgerEntry> Speaking { get; }

    /// <summary>
    /// The domains whose joules make up the run's energy. Kinds are not added where one covers the other or where the figure would no
    /// longer be comparable: what the backend computes on if it is read (GPUs; or sockets and their memory), else superchips, else whole
    /// nodes. The others stay in the records beside them.
    /// </summary>
    public IReadOnlyList<LedgerEntry> Counted { get; }

    /// <summary>
    /// Zones that show the counter of another one again, by key, and the one that stands for both: no part of <see cref="Devices"/>.
    /// </summary>
    public IReadOnlyDictionary<string, LedgerEntry> Mirrors { get; }

    /// <summary>NVIDIA's library and AMD's each see their own GPUs, and no others: the two together are one meter of GPUs.</summary>
    private static string Meter(EnergyDomain domain) => domain.Source is "nvml" or "amdsmi" ? "drivers" : domain.Source;

    private static Dictionary<string, LedgerEntry> FindMirrors(IReadOnlyList<LedgerEntry> devices)
    {
        var mirrors = new Dictionary<string, LedgerEntry>();
        foreach (var zones in devices.Where(e => e.Domain.Kind is DomainKind.Package or DomainKind.Dram).GroupBy(e =>
            (e.Domain.Host, e.Domain.Kind, e.Domain.Source)))
        {
            var own = new List<LedgerEntry>();
            foreach (var zone in zones)
            {
                if (own.FirstOrDefault(other =>
                    MirroredCounter.IsOneCounter(other.Series.Readings, zone.Series.Readings)) is { } first) mirrors[zone.Domain.Key] =
                    first;
                else own.Add(zone);
            }
        }
        return mirrors;
    }

    private static LedgerEntry Merge(IEnumerable<SampleSeries> ofOneDevice)
    {
        var candidates = ofOneDevice.ToList();
        var best = candidates.OrderBy(s => s.Readings.Count == 0).ThenBy(s => s.Readings.Count(r => r.IsLost)).ThenBy(s => s.Rank).First();
        return new LedgerEntry(best.Domain, best, [.. candidates.Select(s => s.Rank).Distinct().Order()]);
    }
}
