using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Configuration;
using Harness.Energy.Accounting;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Pieces;

namespace Harness.Running;

/// <summary>
/// What the starts of a run before this one left: their finished batches, which go into the book, and what those cost. One that
/// was killed is brought to an end first: a batch of it counts if the joules of every device are known up to its end. So is one whose
/// journals have lost what it had recorded as finished (a machine that went down): what is there counts, the rest is done again.
/// </summary>
internal sealed class EarlierStarts
{
    private readonly string _directory;
    private readonly RunOptions _options;
    private readonly RankModel _model;
    private readonly ResultBook _book;
    private readonly List<StartRecord> _records;
    private readonly List<PieceEvidence> _pieces = [];

    /// <summary>
    /// What was told of the pieces so far does not hold any more; nor what was told of those behind, whose numbers and rows follow from it.
    /// </summary>
    private bool _anew;

    /// <summary>As the manifest is to tell them, each with its end.</summary>
    public IReadOnlyList<StartRecord> Records => _records;

    /// <summary>Of the starts that finished a batch.</summary>
    public IReadOnlyList<PieceEvidence> Pieces => _pieces;

    /// <summary>Measured repeats that are whole, up to the first that is not.</summary>
    public int FinishedRepeats { get; }

    /// <summary>Batches of the repeats after them.</summary>
    public IReadOnlyList<BatchReport> OfTornRepeat { get; }

    /// <param name="count">How many starts there were.</param>
    /// <param name="manifest">Null where the run was cut off before it had one.</param>
    public EarlierStarts(string runDirectory, int count, JsonObject? manifest, RunOptions options, RankModel model, ResultBook book)
    {
        (_directory, _options, _model, _book) = (runDirectory, options, model, book);
        _records = manifest == null ? [] : StartRecord.Of(manifest, RunFile.Manifest.In(runDirectory));
        var (batches, whole) = (new List<BatchReport>(), new HashSet<int>());
        for (var start = 1; start <= count; start++)
        {
            var own = Recall(start);
            batches.AddRange(own);
            if (own.Count == 0) continue;
            // A repeat that was cut stands in the evidence with another end.
            whole.UnionWith(
                from entry in WindowJournal.Read(StartRecord.DirectoryOf(runDirectory, start))
                where entry.Window.Repeat is { } repeat && WindowJournal.HasEnded(entry.Window)
                    && entry.Answers == book.AnswersOf(repeat) && _pieces[^1].Evidence.Windows.Contains(entry.Window)
                select entry.Window.Repeat!.Value);
        }
        for (var i = 0; i < _records.Count; i++)
            if (_records[i].End == null)
                _records[i] = _records[i] with
                {
                    End = "killed",
                    EndedUtc = RunLease.LastBeat(StartRecord.DirectoryOf(runDirectory, _records[i].Start))?.ToString(
                    StartRecord.TimeFormat, CultureInfo.InvariantCulture)
                };
        FinishedRepeats = Enumerable.Range(1, int.MaxValue).TakeWhile(whole.Contains).Count();
        OfTornRepeat = [.. batches.Where(batch => batch.Repeat > FinishedRepeats)];
    }

    /// <returns>The batches that count; none: the start left nothing.</returns>
    private IReadOnlyList<BatchReport> Recall(int start)
    {
        var (directory, piece) = (StartRecord.DirectoryOf(_directory, start), _pieces.Count + 1);
        var record = _records.FindIndex(one => one.Start == start);
        var windows = WindowJournal.Read(directory);
        // Without its window a batch has no time and no joules.
        IReadOnlyList<BatchReport> all = [.. BatchJournal.Read(directory).Select(BatchReport.Deserialize)];
        IReadOnlyList<BatchReport> batches = [.. all.Where(batch => windows.Any(entry => entry.Window.Repeat == batch.Repeat))];
        if (!batches.Any(batch => batch.HasFinished)) batches = [];
        if (batches.Count < all.Count) BatchJournal.Replace(directory, batches.Select(batch => batch.Serialize()));
        var found = batches;
        bool IsWhole(JournalWindow entry) => WindowJournal.HasEnded(entry.Window) && entry.Window.Repeat is { } repeat
            && entry.Answers <= _book.AnswersOf(repeat) + found.Where(batch => batch.Repeat == repeat).Sum(batch => batch.Sequences.Length);
        var known = record >= 0 ? _records[record] : null;
        _anew |= known?.Batches > batches.Count(batch => batch.HasFinished) || (known?.Piece is { } number && number != piece);
        var isTold = !_anew && PieceEvidence.IsConcluded(_directory, piece);
        var hosts = known?.Hosts ?? _model.Topology.Hosts;
        EnergyEvidence? evidence = null;
        if (batches.Count > 0 && !isTold)
        {
            if (Readings(directory, hosts.Count) is { } readings)
                evidence = Evidence(directory, hosts, readings, windows, IsWhole, ref batches);
            else
                batches = Forget(directory);
        }
        if (batches.Count > 0) _book.Recall(piece, directory, batches);
        if (evidence != null && batches.Count > 0)
        {
            PieceEvidence.Prepare(_directory, piece);
            var rows = TornRepeat.Rows(evidence.Windows, [], evidence.WorldSize, rank => _model.RowOf(_book.RunId, rank));
            new PieceEvidence(piece, evidence).Write(_directory, _book.Steps(piece, evidence.ClockOf), rows);
        }
        if (record >= 0)
            _records[record] =
                _records[record] with { Piece = batches.Count > 0 ? piece : null, Batches = batches.Count(batch => batch.HasFinished) };
        if (batches.Count > 0) _pieces.Add(PieceEvidence.Read(_directory, piece));
        return batches;
    }

    /// <summary>Answers whose joules nobody knows would make those of the whole run unknown: they are done again.</summary>
    private static IReadOnlyList<BatchReport> Forget(string directory)
    {
        BatchJournal.Replace(directory, []);
        return [];
    }

    /// <summary>What the ranks of a killed start have read, on rank 0's clock; a rank without a meter has no part in it.</summary>
    /// <returns>Null where a journal does not say any more what a rank's meter reads, or has lost all readings of a device.</returns>
    private static IReadOnlyList<EnergyReport>? Readings(string directory, int ranks)
    {
        var reports = new List<EnergyReport>();
        for (var rank = 0; rank < ranks; rank++)
        {
            if (EnergyJournal.Read(directory, rank) is not { } journal) continue;
            if (EnergyReport.FromJournal(journal.Head, journal.Readings) is not { } report) return null;
            if (report.Domains.Any(domain => !report.Series.Any(series => series.Domain.Key == domain.Key))) return null;
            reports.Add(report.OnRunClock());
        }
        return reports;
    }

    /// <summary>Of a killed start, from its journals; leaves the batches that count.</summary>
    /// <param name="reports">What its ranks have read.</param>
    private EnergyEvidence Evidence(string directory, IReadOnlyList<string> hosts, IReadOnlyList<EnergyReport> reports,
        IReadOnlyList<JournalWindow> journal, Func<JournalWindow, bool> isWhole, ref IReadOnlyList<BatchReport> batches)
    {
        var evidence = RunEvidence.Of(_options, _model.BackendChoice, _model.Groups.Grid, hosts, reports) with
        {
            Windows = [.. journal.Select(entry => entry.Window)],
        };
        var energy = new EnergyAccount(evidence);
        // A batch counts if the joules of the devices that its own replica works on are known; a repeat as a whole, if all are.
        var knownOf = evidence.Ranks.Select(rank => rank.Replica).Distinct().ToDictionary(replica => replica, energy.KnownUntil);
        var knownUntil = knownOf.Values.Min();
        double EndOf(BatchReport batch) => evidence.ClockOf(batch.Replica).ToRunClock(batch.EndSeconds);
        IReadOnlyList<BatchReport> counting = [.. batches.Where(batch => EndOf(batch) <= knownOf[batch.Replica])];
        if (!counting.Any(batch => batch.HasFinished)) counting = [];
        if (counting.Count < batches.Count) BatchJournal.Replace(directory, counting.Select(batch => batch.Serialize()));
        batches = counting;

        foreach (var torn in journal.Where(entry =>
            entry.Window.Repeat != null && !(isWhole(entry) && entry.Window.EndSeconds <= knownUntil))
            .Select(entry => entry.Window))
        {
            double? CutOf(int replica) =>
                counting.Where(batch => batch.Repeat == torn.Repeat && batch.Replica == replica && batch.HasFinished)
                .Max(batch => (double?)EndOf(batch));
            var end = WindowJournal.HasEnded(torn) ? Math.Min(torn.EndSeconds, knownUntil) : double.IsFinite(knownUntil) ? knownUntil : 0;
            evidence = evidence with { Windows = TornRepeat.Cut(evidence, torn, CutOf, end) };
        }
        return evidence;
    }
}
