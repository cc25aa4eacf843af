using Harness.Accounting;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Energy.Records;
using Harness.Energy.Sampling;
using Harness.Records;

namespace Harness.Running.Pieces;

/// <summary>What the earlier starts of a run left: their finished batches, and what those cost.</summary>
internal static class EarlierPieces
{
    /// <summary>
    /// Goes through the starts before this one; a killed one is brought to an end first: a batch of it counts if the joules
    /// of every device are known up to its end.
    /// </summary>
    /// <param name="known">What does not depend on readings, for a start that could not say it any more: places, limits, world size.</param>
    /// <returns>For each start its piece and finished batches, in order; no batches: it left nothing.</returns>
    public static IReadOnlyList<(int Start, int? Piece, IReadOnlyList<BatchReport> Batches)> Collect(
        string runDirectory, int starts, ResultBook book, Func<int, EnergyEvidence> known, Func<int, RankRecord> place)
    {
        var left = new List<(int, int?, IReadOnlyList<BatchReport>)>();
        var piece = 1;
        for (var start = 1; start <= starts; start++)
        {
            var directory = StartRecord.DirectoryOf(runDirectory, start);
            IReadOnlyList<BatchReport> batches = [.. BatchJournal.Read(directory)];
            if (!batches.Any(batch => batch.HasFinished)) batches = [];
            var killed = batches.Count > 0 && !PieceEvidence.IsConcluded(runDirectory, piece);
            var evidence = killed ? Evidence(directory, known(start), ref batches) : null;
            foreach (var batch in batches) book.Recall(piece, batch);
            if (evidence != null && batches.Count > 0)
            {
                PieceEvidence.Prepare(runDirectory, piece);
                var rows = TornRepeat.Rows(evidence.Windows, [], evidence.WorldSize, place);
                new PieceEvidence(piece, evidence).Write(runDirectory, book.Steps(piece, evidence.ClockOf), rows);
            }
            left.Add((start, batches.Count > 0 ? piece : null, batches));
            if (batches.Count > 0) piece++;
        }
        return left;
    }

    /// <summary>Of a killed start, from its journals; leaves the batches that count.</summary>
    private static EnergyEvidence Evidence(string directory, EnergyEvidence known, ref IReadOnlyList<BatchReport> batches)
    {
        var reports = EnergyJournal.Read(directory, known.WorldSize).ToDictionary(report => report.Rank);
        var series = reports.Values.SelectMany(report => report.Series.Select(one => one.OnClock(report.Clock.ToRunClock))).ToList();
        var evidence = known with
        {
            RanToEnd = false,
            OriginUtc = reports.OrderBy(report => report.Key).Select(report => (DateTimeOffset?)report.Value.OriginUtc).FirstOrDefault(),
            Domains = [.. reports.Values.SelectMany(report => report.Domains).DistinctBy(domain => domain.Key)],
            Sensors = [.. reports.Values.SelectMany(report => report.Sensors)],
            Facts = [.. reports.Values.SelectMany(report => report.Facts)],
            Ranks = [.. known.Ranks.Select(rank => !reports.TryGetValue(rank.Rank, out var report) ? rank
                : rank with { Reads = [.. report.Domains.Select(domain => domain.Key)], Clock = report.Clock, Sampling = report.Cost })],
            Series = series,
        };
        var ledger = new DeviceLedger(series);
        var account = new EnergyAccount(ledger, evidence.Sensors, evidence.SampleIntervalSeconds, evidence.Limits);
        var readUntil = ledger.Counted.Select(device => account.Timeline(device.Domain.Key)!.LastSeconds).DefaultIfEmpty(double.PositiveInfinity).Min();
        double EndOf(BatchReport batch) => evidence.ClockOf(batch.Replica).ToRunClock(batch.EndSeconds);
        IReadOnlyList<BatchReport> counting = [.. batches.Where(batch => EndOf(batch) <= readUntil)];
        if (!counting.Any(batch => batch.HasFinished)) counting = [];
        if (counting.Count < batches.Count) BatchJournal.Replace(directory, counting);
        batches = counting;

        var windows = WindowJournal.Read(directory);
        foreach (var torn in windows.Where(window => window.Repeat != null && !(WindowJournal.HasEnded(window) && window.EndSeconds <= readUntil)).ToList())
        {
            var last = counting.Where(batch => batch.Repeat == torn.Repeat && batch.HasFinished).Select(EndOf).DefaultIfEmpty(torn.StartSeconds).Max();
            windows = TornRepeat.Cut(windows, torn, last, double.IsFinite(readUntil) ? readUntil : last);
        }
        return evidence with { Windows = windows };
    }
}
