using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Configuration;
using Harness.Energy.Accounting;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Pieces;

namespace Harness.Running;

/// <summary>
/// What the starts of a run before this one left: their finished batches, which go into the book, and what those cost. All of it follows
/// from their journals. A start that ended in order has said so there, and its figures lie on disk. Of one that has not, killed or with a
/// journal that has lost its end (a machine that went down), a batch counts if the joules of every device are known up to its end; the
/// rest is done again.
/// </summary>
internal sealed class EarlierStarts
{
    private readonly string _directory;
    private readonly RunOptions _options;
    private readonly RankModel _model;
    private readonly ResultBook _book;
    private readonly List<StartRecord> _records = [];
    private readonly List<PieceEvidence> _pieces = [];
    private readonly List<string> _notes = [];

    /// <summary>As the manifest is to tell them, each with its end.</summary>
    public IReadOnlyList<StartRecord> Records => _records;

    /// <summary>Of the starts that finished a batch.</summary>
    public IReadOnlyList<PieceEvidence> Pieces => _pieces;

    /// <summary>For the terminal: what is lost, and why.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>Measured repeats that are whole, up to the first that is not.</summary>
    public int FinishedRepeats { get; }

    /// <summary>Batches of the repeats after them.</summary>
    public IReadOnlyList<BatchReport> OfTornRepeat { get; }

    /// <param name="count">How many starts there were.</param>
    /// <param name="manifest">Null where the run was cut off before it had one.</param>
    public EarlierStarts(string runDirectory, int count, JsonObject? manifest, RunOptions options, RankModel model, ResultBook book)
    {
        (_directory, _options, _model, _book) = (runDirectory, options, model, book);
        var told = manifest == null ? [] : StartRecord.Of(manifest, RunFile.Manifest.In(runDirectory));
        var (batches, whole) = (new List<BatchReport>(), new HashSet<int>());
        for (var start = 1; start <= count; start++)
        {
            var left = StartJournal.Read(RunLayout.DirectoryOf(runDirectory, start));
            // Of a start whose journal has lost even its beginning the manifest may still know where it ran.
            var record = (left.Start ?? told.FirstOrDefault(one => one.Start == start)
                ?? new() { Start = start, Hosts = model.Topology.Hosts }) with
            { Start = start };
            var own = Recall(record, left.Windows);
            _records.Add(record with
            {
                End = record.End ?? "killed",
                EndedUtc = record.End != null ? record.EndedUtc
                    : RunLease.LastBeat(RunLayout.DirectoryOf(runDirectory, start))?.ToString(StartRecord.TimeFormat,
                        CultureInfo.InvariantCulture),
                Batches = own.Count(batch => batch.HasFinished),
            });
            batches.AddRange(own);
            if (own.Count == 0) continue;
            // A repeat that was cut stands in the evidence with another end.
            whole.UnionWith(
                from entry in left.Windows
                where entry.Window.Repeat is { } repeat && entry.HasEnded
                    && entry.Answers == book.AnswersOf(repeat) && _pieces[^1].Evidence.Windows.Contains(entry.Window)
                select entry.Window.Repeat!.Value);
        }
        FinishedRepeats = Enumerable.Range(1, int.MaxValue).TakeWhile(whole.Contains).Count();
        OfTornRepeat = [.. batches.Where(batch => batch.Repeat > FinishedRepeats)];
    }

    /// <returns>The batches that count; none: the start left nothing.</returns>
    private IReadOnlyList<BatchReport> Recall(StartRecord record, IReadOnlyList<JournalWindow> windows)
    {
        var directory = RunLayout.DirectoryOf(_directory, record.Start);
        IReadOnlyList<BatchReport> batches = [.. BatchReport.In(directory)];
        if (batches.Any(batch => batch.HasFinished) && record.End != null && RunLayout.PiecesIn(_directory).Contains(record.Start))
        {
            _book.Recall(record.Start, directory, batches);
            _pieces.Add(PieceEvidence.Read(_directory, record.Start));
            return batches;
        }
        PieceEvidence.Remove(_directory, record.Start);
        if (!batches.Any(batch => batch.HasFinished) || Readings(record, batches) is not { } readings) return [];
        var evidence = Evidence(record, readings, windows, ref batches);
        if (batches.Count == 0) return [];
        _book.Recall(record.Start, directory, batches);
        _pieces.Add(new(record.Start, evidence));
        _pieces[^1].Write(_directory, TornRepeat.Rows(evidence.Windows, [], evidence.WorldSize, rank => _model.RowOf(_book.RunId, rank)));
        return batches;
    }

    /// <summary>What the ranks of a killed start have read, on rank 0's clock; a rank without a meter has no part in it.</summary>
    /// <returns>
    /// Null where those of a rank are lost: answers whose joules nobody knows would make those of the whole run unknown.
    /// </returns>
    private IReadOnlyList<EnergyReport>? Readings(StartRecord record, IReadOnlyList<BatchReport> batches)
    {
        var directory = RunLayout.DirectoryOf(_directory, record.Start);
        var reports = new List<EnergyReport>();
        for (var rank = 0; rank < record.Hosts.Count; rank++)
        {
            var journal = EnergyJournal.Read(directory, rank);
            if (journal == null && record.MeteredRanks?.Contains(rank) != true) continue;
            var report = journal is { } left ? EnergyReport.FromJournal(left.Head, left.Readings) : null;
            var lost = journal == null ? "is not there, and the rank had a meter"
                : report == null ? "does not say any more what was read"
                : report.Domains.FirstOrDefault(domain => !report.Series.Any(series => series.Domain.Key == domain.Key)) is { } domain
                    ? $"has no reading of {domain.Key} any more" : null;
            if (lost != null)
            {
                var answers = batches.Sum(batch => batch.Sequences.Length);
                _notes.Add(string.Create(CultureInfo.InvariantCulture, $"{RunFile.EnergyJournal.OfRank(rank).In(directory)} {lost}: nobody "
                    + $"knows what the {answers} answers of start {record.Start} cost, and they are done again"));
                return null;
            }
            reports.Add(report!.OnRunClock());
        }
        return reports;
    }

    /// <summary>Of a killed start, from its journals; leaves the batches that count.</summary>
    /// <param name="reports">What its ranks have read.</param>
    private EnergyEvidence Evidence(StartRecord record, IReadOnlyList<EnergyReport> reports, IReadOnlyList<JournalWindow> journal,
        ref IReadOnlyList<BatchReport> batches)
    {
        var evidence = RunEvidence.Of(_options, _model.BackendChoice, _model.Groups.Grid, record.Hosts, reports) with
        {
            Windows = [.. journal.Select(entry => entry.Window)],
        };
        var energy = new EnergyAccount(evidence);
        // A batch counts if the joules of the devices that its own replica works on are known; a repeat as a whole, if all are.
        var knownOf = evidence.Ranks.Select(rank => rank.Replica).Distinct().ToDictionary(replica => replica, energy.KnownUntil);
        var knownUntil = knownOf.Values.Min();
        double EndOf(BatchReport batch) => evidence.ClockOf(batch.Replica).ToRunClock(batch.EndSeconds);
        var all = batches;
        IReadOnlyList<BatchReport> counting = [.. batches.Where(batch => EndOf(batch) <= knownOf[batch.Replica])];
        if (!counting.Any(batch => batch.HasFinished)) counting = [];
        batches = counting;
        if (counting.Count == 0) return evidence;

        bool IsWhole(JournalWindow entry) => entry.HasEnded && entry.Window.EndSeconds <= knownUntil
            && entry.Answers <= _book.AnswersOf(entry.Window.Repeat!.Value)
                + all.Where(batch => batch.Repeat == entry.Window.Repeat).Sum(batch => batch.Sequences.Length);
        foreach (var entry in journal.Where(entry => entry.Window.Repeat != null && !IsWhole(entry)))
        {
            var torn = entry.Window;
            double? CutOf(int replica) =>
                counting.Where(batch => batch.Repeat == torn.Repeat && batch.Replica == replica && batch.HasFinished)
                .Max(batch => (double?)EndOf(batch));
            var end = entry.HasEnded ? Math.Min(torn.EndSeconds, knownUntil) : double.IsFinite(knownUntil) ? knownUntil : 0;
            evidence = evidence with { Windows = TornRepeat.Cut(evidence, torn, CutOf, end) };
        }
        return evidence;
    }
}
