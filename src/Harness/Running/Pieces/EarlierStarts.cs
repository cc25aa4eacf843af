using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Accounting;
using Harness.Configuration;
using Harness.Energy.Accounting;
using Harness.Records;

namespace Harness.Running.Pieces;

/// <summary>
/// What the starts of a run before this one left: their finished batches, which go into the book, and what those cost. One that
/// was killed is brought to an end first: a batch of it counts if the joules of every device are known up to its end.
/// </summary>
internal sealed class EarlierStarts
{
    private readonly string _directory;
    private readonly RunOptions _options;
    private readonly RankModel _model;
    private readonly ResultBook _book;
    private readonly List<StartRecord> _records;
    private readonly List<PieceEvidence> _pieces = [];

    /// <summary>As the manifest is to tell them, each with its end.</summary>
    public IReadOnlyList<StartRecord> Records => _records;

    /// <summary>Of the starts that finished a batch.</summary>
    public IReadOnlyList<PieceEvidence> Pieces => _pieces;

    /// <summary>Measured repeats that are whole.</summary>
    public int FinishedRepeats { get; }

    /// <summary>Batches of the repeat that is not.</summary>
    public IReadOnlyList<BatchReport> OfTornRepeat { get; }

    /// <param name="count">How many starts there were.</param>
    /// <param name="manifest">Null where the run was cut off before it had one.</param>
    public EarlierStarts(string runDirectory, int count, JsonObject? manifest, RunOptions options, RankModel model, ResultBook book)
    {
        (_directory, _options, _model, _book) = (runDirectory, options, model, book);
        _records = manifest == null ? [] : StartRecord.Of(manifest);
        var (batches, whole) = (new List<BatchReport>(), new HashSet<int>());
        for (var start = 1; start <= count; start++)
        {
            var own = Recall(start);
            batches.AddRange(own);
            if (own.Count == 0) continue;
            var windows = WindowJournal.Read(StartRecord.DirectoryOf(runDirectory, start));
            // A repeat that was cut stands there with another end.
            whole.UnionWith(windows.Where(window => window.Repeat != null && WindowJournal.HasEnded(window) && _pieces[^1].Evidence.Windows.Contains(window)).Select(window => window.Repeat!.Value));
        }
        for (var i = 0; i < _records.Count; i++)
            if (_records[i].End == null)
                _records[i] = _records[i] with { End = "killed", EndedUtc = RunLease.LastBeat(StartRecord.DirectoryOf(runDirectory, _records[i].Start))?.ToString(StartRecord.TimeFormat, CultureInfo.InvariantCulture) };
        FinishedRepeats = whole.Count;
        OfTornRepeat = [.. batches.Where(batch => batch.Repeat > FinishedRepeats)];
    }

    /// <returns>The batches that count; none: the start left nothing.</returns>
    private IReadOnlyList<BatchReport> Recall(int start)
    {
        var (directory, piece) = (StartRecord.DirectoryOf(_directory, start), _pieces.Count + 1);
        var record = _records.FindIndex(one => one.Start == start);
        IReadOnlyList<BatchReport> batches = [.. BatchJournal.Read(directory)];
        if (!batches.Any(batch => batch.HasFinished)) batches = [];
        var killed = batches.Count > 0 && !PieceEvidence.IsConcluded(_directory, piece);
        var evidence = killed ? Evidence(directory, record >= 0 ? _records[record].Hosts : _model.Topology.Hosts, ref batches) : null;
        foreach (var batch in batches) _book.Recall(piece, batch);
        if (evidence != null && batches.Count > 0)
        {
            PieceEvidence.Prepare(_directory, piece);
            var rows = TornRepeat.Rows(evidence.Windows, [], evidence.WorldSize, rank => _model.RowOf(_book.RunId, rank));
            new PieceEvidence(piece, evidence).Write(_directory, _book.Steps(piece, evidence.ClockOf), rows);
        }
        if (record >= 0) _records[record] = _records[record] with { Piece = batches.Count > 0 ? piece : null, Batches = batches.Count(batch => batch.HasFinished) };
        if (batches.Count > 0) _pieces.Add(PieceEvidence.Read(_directory, piece));
        return batches;
    }

    /// <summary>Of a killed start, from its journals; leaves the batches that count.</summary>
    private EnergyEvidence Evidence(string directory, IReadOnlyList<string> hosts, ref IReadOnlyList<BatchReport> batches)
    {
        var reports = EnergyJournal.Read(directory, hosts.Count).Select(report => report with { Series = [.. report.Series.Select(one => one.OnClock(report.Clock.ToRunClock))] }).ToList();
        var evidence = RunEvidence.Of(_options, _model.BackendChoice, _model.Groups.Grid, hosts, reports, WindowJournal.Read(directory), ranToEnd: false);
        var ledger = new DeviceLedger(evidence.Series);
        var account = new EnergyAccount(ledger, evidence.Sensors, evidence.SampleIntervalSeconds, evidence.Limits);
        var knownUntil = ledger.Counted.Select(device => account.Timeline(device.Domain.Key)!.LastSeconds).DefaultIfEmpty(double.PositiveInfinity).Min();
        double EndOf(BatchReport batch) => evidence.ClockOf(batch.Replica).ToRunClock(batch.EndSeconds);
        IReadOnlyList<BatchReport> counting = [.. batches.Where(batch => EndOf(batch) <= knownUntil)];
        if (!counting.Any(batch => batch.HasFinished)) counting = [];
        if (counting.Count < batches.Count) BatchJournal.Replace(directory, counting);
        batches = counting;

        var windows = evidence.Windows;
        foreach (var torn in windows.Where(window => window.Repeat != null && !(WindowJournal.HasEnded(window) && window.EndSeconds <= knownUntil)).ToList())
        {
            var last = counting.Where(batch => batch.Repeat == torn.Repeat && batch.HasFinished).Select(EndOf).DefaultIfEmpty(torn.StartSeconds).Max();
            windows = TornRepeat.Cut(windows, torn, last, double.IsFinite(knownUntil) ? knownUntil : last);
        }
        return evidence with { Windows = windows };
    }
}
