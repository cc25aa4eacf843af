using Harness.Energy.Accounting;
using Harness.Runs.Records;

namespace Harness.Runs.Pieces;

/// <summary>
/// A measured repeat that was cut off counts up to its last finished batch; what came after will be done again, and lies in
/// a window of its own, so that its joules count once.
/// </summary>
public static class TornRepeat
{
    /// <param name="cutSeconds">When the last finished batch of the repeat had ended; null where none had.</param>
    /// <param name="endSeconds">Until when anything is known of what was given up.</param>
    public static IReadOnlyList<EnergyWindow> Cut(IReadOnlyList<EnergyWindow> windows, EnergyWindow torn, double? cutSeconds, double endSeconds)
    {
        var cut = Math.Clamp(cutSeconds ?? torn.StartSeconds, torn.StartSeconds, Math.Max(torn.StartSeconds, endSeconds));
        EnergyWindow[] kept = cut > torn.StartSeconds ? [torn with { EndSeconds = cut }] : [];
        EnergyWindow[] lost = endSeconds > cut ? [new($"torn-{torn.Repeat}", WindowKind.Torn, cut, endSeconds)] : [];
        return [.. windows.Where(window => window != torn), .. kept, .. lost];
    }

    /// <summary>Rows of <c>ranks.csv</c> for these windows: of one that was cut, what crossed a rank's links is not known.</summary>
    /// <param name="rows">As the ranks saw their own windows.</param>
    /// <param name="place">A row with the rank's place, for ranks that left none.</param>
    public static IEnumerable<RankRecord> Rows(IReadOnlyList<EnergyWindow> windows, IReadOnlyList<RankRecord> rows, int ranks, Func<int, RankRecord> place) =>
        from window in windows
        from rank in Enumerable.Range(0, ranks)
        let seen = rows.FirstOrDefault(row => row.Rank == rank && row.Window == window.Name)
        let isWhole = seen != null && rows.Any(row => row.Rank == 0 && row.Window == window.Name && row.Seconds == window.DurationSeconds)
        select isWhole ? seen : (seen ?? rows.FirstOrDefault(row => row.Rank == rank) ?? place(rank)) with
        {
            Repeat = window.Repeat ?? 0,
            Window = window.Name,
            Seconds = window.DurationSeconds,
            BytesSent = null,
            CollectiveWaitSeconds = null,
            ReceiveWaitSeconds = null,
        };
}
