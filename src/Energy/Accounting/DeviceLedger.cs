namespace Harness.Energy.Accounting;

/// <summary>A domain of the run, counted once, with the one series that speaks for it.</summary>
/// <param name="Ranks">All ranks that read it, ascending.</param>
internal sealed record LedgerEntry(EnergyDomain Domain, SampleSeries Series, IReadOnlyList<int> Ranks);

/// <summary>
/// Merges the series of all ranks so that a device counts once, by host and identity, however many ranks read it and however many zones
/// show its counter. Of several series of a device the one with the fewest lost readings speaks, of equals the lowest rank's; they are
/// not interleaved, since their clocks differ by more than a counter's steps.
/// </summary>
internal sealed class DeviceLedger
{
    public DeviceLedger(IEnumerable<SampleSeries> series)
    {
        List<LedgerEntry> all = [.. series.GroupBy(s => s.Domain.Key).Select(Merge).OrderBy(e => e.Domain.Host, StringComparer.Ordinal)
            .ThenBy(e => e.Domain.Kind).ThenBy(e => e.Domain.Device, StringComparer.Ordinal)];
        Mirrors = FindMirrors(all);
        Devices = [.. all.Where(e => !Mirrors.ContainsKey(e.Domain.Key))];
        Counted = ChooseCounted(Devices);
    }

    /// <summary>Every domain of the run, once, ordered by host, kind and identity.</summary>
    public IReadOnlyList<LedgerEntry> Devices { get; }

    /// <summary>
    /// The domains whose joules make up the run's energy. Kinds are not added where one covers the other or where the
    /// figure would no longer be comparable: the GPUs if there are any, else sockets and their memory, else superchips, else whole nodes.
    /// The others stay in the records beside them.
    /// </summary>
    public IReadOnlyList<LedgerEntry> Counted { get; }

    /// <summary>
    /// Zones that show the counter of another one again, by key, and the one that stands for both: no part of <see cref="Devices"/>.
    /// </summary>
    public IReadOnlyDictionary<string, LedgerEntry> Mirrors { get; }

    private static Dictionary<string, LedgerEntry> FindMirrors(IReadOnlyList<LedgerEntry> devices)
    {
        var mirrors = new Dictionary<string, LedgerEntry>();
        foreach (var zones in devices.Where(e => e.Domain.Kind is DomainKind.Package or DomainKind.Dram).GroupBy(e =>
            (e.Domain.Host, e.Domain.Kind)))
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

    private static IReadOnlyList<LedgerEntry> ChooseCounted(IReadOnlyList<LedgerEntry> devices)
    {
        DomainKind[][] choices = [[DomainKind.Gpu], [DomainKind.Package, DomainKind.Dram], [DomainKind.Module], [DomainKind.Node]];
        return choices.Select(kinds => devices.Where(e => kinds.Contains(e.Domain.Kind)).ToList()).FirstOrDefault(c => c.Count > 0) ?? [];
    }
}
