using Harness.Energy.Accounting;
using Harness.Runs.Records;

namespace Harness.Runs.Pieces;

/// <summary>
/// A measured repeat that was cut off counts up to its last finished batch, and each device up to the last one of the replicas
/// that it works for; what came after will be done again, and lies in a window of its own, so that its joules count once.
/// </summary>
public static class TornRepeat
{
    /// <param name="cutOf">When the last finished batch that a replica had in the repeat had ended; null where it had none.</param>
    /// <param name="endSeconds">Until when anything is known of what was given up.</param>
    public static IReadOnlyList<EnergyWindow> Cut(EnergyEvidence evidence, EnergyWindow torn, Func<int, double?> cutOf, double endSeconds)
    {
        var replicas = evidence.Ranks.Select(rank => rank.Replica).Distinct().ToList();
        var cutBy = replicas.ToDictionary(replica => replica, cutOf);
        var cut = LatestOf(replicas);
        var end = Math.Max(cut, endSeconds);
        // A device that replicas share has worked for what counts until the last of them had finished something.
        var cuts = evidence.ReplicasByDomain().Select(domain => (domain.Key, Cut: LatestOf(domain.Value)))
            .Where(device => device.Cut < cut).ToDictionary(device => device.Key, device => device.Cut);
        var different = cuts.Count > 0 ? cuts : null;
        EnergyWindow[] kept = cut > torn.StartSeconds ? [torn with { EndSeconds = cut, Cuts = different }] : [];
        EnergyWindow[] lost = end > cuts.Values.Append(cut).Min()
            ? [new($"torn-{torn.Repeat}", WindowKind.Torn, cuts.Values.Append(cut).Min(), end, Cuts: TornFrom())] : [];
        return [.. evidence.Windows.Where(window => window != torn), .. kept, .. lost];

        double LatestOf(IEnumerable<int> some) => Math.Max(torn.StartSeconds, some.Max(replica => cutBy[replica]) ?? torn.StartSeconds);

        // The window begins with the earliest of them: what others still did for results is not torn.
        Dictionary<string, double>? TornFrom() => different == null ? null
            : evidence.Domains.Select(domain => domain.Key).Distinct().ToDictionary(key => key, key => cuts.GetValueOrDefault(key, cut));
    }

    /// <summary>Rows of <c>ranks.csv</c> for these windows: of one that was cut, what crossed a rank's links is not known.</summary>
    /// <param name="rows">As the ranks saw their own windows.</param>
    /// <param name="place">A row with the rank's place, for ranks that left none.</param>
    public static IEnumerable<RankRecord> Rows(IReadOnlyList<EnergyWindow> windows, IReadOnlyList<RankRecord> rows, int ranks, Func<int,
        RankRecord> place)
    {
        var seenBy = rows.DistinctBy(row => (row.Rank, row.Window)).ToDictionary(row => (row.Rank, row.Window));
        var firstOf = rows.DistinctBy(row => row.Rank).ToDictionary(row => row.Rank);
        return from window in windows
               let isWhole = rows.Any(row => row.Rank == 0 && row.Window == window.Name && row.Seconds == window.DurationSeconds)
               from rank in Enumerable.Range(0, ranks)
               let seen = seenBy.GetValueOrDefault((rank, window.Name))
               select isWhole && seen != null ? seen : (seen ?? firstOf.GetValueOrDefault(rank) ?? place(rank)) with
               {
                   Repeat = window.Repeat ?? 0,
                   Window = window.Name,
                   Seconds = window.DurationSeconds,
                   BytesSent = null,
                   CollectiveWaitSeconds = null,
                   ReceiveWaitSeconds = null,
                   CoreWaitShare = null,
               };
    }
}
