using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Configuration;
using Harness.Energy.Accounting;
using Harness.Energy.Control;
using Harness.Reporting;
using Harness.Runs;
using Harness.Runs.Accounting;
using Harness.Runs.Carbon;
using Harness.Runs.Pieces;
using Harness.Runs.Records;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>The run directory of one power setting, as rank 0 fills it: begun, or continued where it was cut off.</summary>
internal sealed class RunFiles : IRunRecorder
{
    private readonly RunOptions _options;
    private readonly RankModel _model;
    private readonly CarbonInputs? _carbon;
    private readonly Manifest _manifest;
    private readonly RunLease _lease;
    private readonly List<StartRecord> _starts;
    private readonly IReadOnlyList<PieceEvidence> _earlier;
    private readonly StartJournal _journal;
    private readonly List<string> _notes = [];

    public RunDirectory Directory { get; }
    public ResultBook Book { get; }
    public RunStart Start { get; }

    /// <summary>Begins the run, or goes on with one of the same identity; in either case the manifest says what is about to run.</summary>
    /// <returns>Null where another process has it and the options refuse another name for this one; <paramref name="takenBy"/> says
    /// who.</returns>
    /// <param name="meteredRanks">The ranks that read a meter.</param>
    public static RunFiles? Open(ResolvedConfiguration configuration, RankModel model, PromptSet prompts, PowerCell cell,
        CarbonInputs? carbon, IReadOnlyList<int> meteredRanks, out string? takenBy)
    {
        var output = configuration.Options.Output;
        var modelName = RunDescription.ModelName(configuration.Options.Model) + cell.Suffix;
        var name = output.Name.Length > 0 ? output.Name + cell.Suffix : null;
        var identity = RunIdentity.Of(configuration, model.Checkpoint.Fingerprint, prompts, cell);
        takenBy = null;
        var unfinished = output.Fresh ? null : UnfinishedRun.Claim(output.Directory, name, identity, out takenBy);
        RunDirectory? begun = null;
        if (unfinished == null && name != null && output.IfTaken == TakenName.Refuse)
        {
            // Of two that saw the name free at the same moment one makes the directory.
            begun = takenBy != null ? null : RunDirectory.TryCreate(output.Directory, name, modelName, DateTimeOffset.UtcNow);
            if (begun == null) takenBy ??= "another process, which has just begun it";
            if (begun == null) return null;
        }
        var besides = takenBy;
        takenBy = null;
        var directory = begun ?? (unfinished == null
            ? RunDirectory.Create(output.Directory, name, modelName, DateTimeOffset.UtcNow)
            : RunDirectory.Continue(unfinished.Directory, unfinished.RunId ?? RunName.NewId(modelName, DateTimeOffset.UtcNow)));
        var lease = RunLease.Take(RunLayout.DirectoryOf(directory.Path, unfinished?.Start ?? 1));
        try
        {
            var files = new RunFiles(configuration, model, prompts, cell, directory, lease, identity, unfinished, carbon, meteredRanks);
            if (unfinished == null && name != null && besides != null)
                files._notes.Add($"{name} is taken: {besides}; this run is {directory.Path}");
            return files;
        }
        catch
        {
            lease.Dispose();
            directory.Dispose();
            throw;
        }
    }

    private RunFiles(ResolvedConfiguration configuration, RankModel model, PromptSet prompts, PowerCell cell, RunDirectory directory,
        RunLease lease, string identity, UnfinishedRun? unfinished, CarbonInputs? carbon, IReadOnlyList<int> meteredRanks)
    {
        (_options, _model, _carbon, _lease, Directory) = (configuration.Options, model, carbon, lease, directory);
        var number = unfinished?.Start ?? 1;
        var startDirectory = RunLayout.DirectoryOf(Directory.Path, number);
        Book = new(Directory.RunId, prompts, Directory);

        var earlier = new EarlierStarts(Directory.Path, number - 1, unfinished?.Manifest, _options, model, Book);
        (_starts, _earlier) = ([.. earlier.Records], earlier.Pieces);
        if (number > 1)
            _notes.Add($"continues {Directory.Path}: {Figures.Count(Book.Rows.Count, "answer")} finished before; --fresh begins anew");
        _notes.AddRange(earlier.Notes);
        Book.Begin(number, startDirectory);
        Start = new(Directory.Path, startDirectory, Directory.RunId, earlier.FinishedRepeats,
            [.. earlier.OfTornRepeat.SelectMany(batch =>
                batch.Sequences.Select(sequence => new FinishedPrompt(batch.Repeat, batch.Pass, sequence.Number)))],
            earlier.OfTornRepeat.Select(batch => batch.Batch + 1).DefaultIfEmpty(0).Max(),
            prompts.Workload.HasTurns ? [.. earlier.OfTornRepeat.SelectMany(batch => batch.Sequences.Select(sequence =>
                new FinishedAnswer(batch.Repeat, batch.Pass, sequence.Number, prompts.AnswerOf(sequence.Output))))] : []);
        _starts.Add(new()
        {
            Start = number,
            BegunUtc = Now(),
            Hosts = model.Topology.Hosts,
            MeteredRanks = meteredRanks,
            Job = Environment.GetEnvironmentVariable("SLURM_JOB_ID"),
            Step = Environment.GetEnvironmentVariable("SLURM_STEP_ID"),
        });
        _journal = new(startDirectory);
        _journal.Append(_starts[^1]);
        _manifest = new(RunDescription.Of(_options, model, prompts, cell, Directory.RunId, unfinished?.Known?.TimestampUtc ?? Now()))
        {
            [Manifest.IdentitySection] = identity,
            ["configuration"] = configuration.Entries()
                .ToDictionary(entry => entry.Key, entry => new { value = entry.Value, source = entry.Source }),
            ["software"] = new
            {
                harness = Build.Version,
                dotnet = RuntimeInformation.FrameworkDescription,
                operating_system = RuntimeInformation.OSDescription
            },
            ["hardware"] = new
            {
                hosts = model.Topology.Hosts,
                cores_rank_0 = Environment.ProcessorCount,
                architecture = RuntimeInformation.ProcessArchitecture.ToString()
            },
            ["backend"] = model.BackendChoice.Described,
            ["checkpoint"] = new { name = model.Checkpoint.Name, fingerprint = model.Checkpoint.Fingerprint, verified = model.Verified },
            ["data"] = new
            {
                files = prompts.Loaded.Files?.Paths.Select(Path.GetFullPath),
                left_out = prompts.Loaded.Log.LeftOut,
                unread_fields = prompts.Loaded.Log.UnreadFields,
            },
            ["prompts"] = prompts.Form.Described,
            [StartRecord.Section] = _starts,
        };
        if (prompts.Arrivals is { } arrivals) _manifest["arrivals"] = arrivals.Described;
        Directory.WriteManifest(_manifest);
    }

    public void BeginRepeat(int repeat) => Book.BeginRepeat(repeat);

    public void Take(BatchReport report)
    {
        _journal.Append(report.Serialize());
        Book.Take(report);
    }

    /// <summary>
    /// For the terminal: what is continued, and what of it is lost; why a run that begins is not called as was asked for.
    /// </summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>The joules of one run are those of devices of one kind.</summary>
    /// <exception cref="UserErrorException">An earlier start computed on another.</exception>
    public void CheckDevice(string device)
    {
        if (_starts.Select(start => start.Device).FirstOrDefault(other => other != null && other != device) is { } before)
            throw new UserErrorException($"{Directory.Path} was begun on {before}, and this is {device}; continue it on such a device, or "
                + "begin anew with --fresh");
        Tell(_starts[^1] with { Device = device });
        _manifest[StartRecord.Section] = _starts;
        Directory.WriteManifest(_manifest);
    }

    /// <summary>Seconds that earlier starts measured of a repeat.</summary>
    public double EarlierSeconds(int repeat) =>
        _earlier.Count == 0 ? 0 : new RunAccount(_earlier).Repeats.Where(one => one.Repeat == repeat).Sum(one => one.DurationSeconds);

    /// <summary>Joules per output token of the first repeats, each with all its pieces; null where they are not known.</summary>
    /// <param name="evidence">Of this piece so far; null: nothing is measured yet.</param>
    public IReadOnlyList<double?> JoulesPerToken(EnergyEvidence? evidence, int repeats)
    {
        var known = new RunAccount(evidence == null ? _earlier : [.. _earlier, new(Book.Piece, evidence)]).JoulesPerTokenOf(Book.Rows);
        return [.. Enumerable.Range(1, repeats).Select(repeat => known.GetValueOrDefault(repeat))];
    }

    /// <summary>A window that begins or has ended. What one that has ended counts on, the answers, is on the disk before.</summary>
    public void Record(EnergyWindow window)
    {
        int? answers = null;
        if (window.Repeat is { } repeat && window.DurationSeconds > 0)
        {
            Directory.Sync();
            answers = Book.AnswersOf(repeat);
        }
        _journal.Append(new JournalWindow(window, answers));
    }

    /// <summary>
    /// The power setting cannot be made. Where earlier starts have finished answers, these stay, with all that the run may be continued
    /// from; else a row without figures says that nothing was measured.
    /// </summary>
    /// <returns>Finished answers that stay.</returns>
    public int Refuse(string why)
    {
        _manifest[_earlier.Count > 0 ? "refused" : "skipped"] = why;
        if (_earlier.Count > 0)
        {
            Tell(_starts[^1] with { EndedUtc = Now(), End = "refused", Batches = 0 });
            Conclude(_earlier, RunStatus.Interrupted);
            return Book.Rows.Count;
        }
        _manifest.Run = _manifest.Run with { Status = RunStatus.Skipped };
        Directory.WriteManifest(_manifest);
        Directory.WriteSummary(_manifest.Run);
        DropJournals();
        return 0;
    }

    /// <summary>Every file that is not written yet, the summary last; and the table for the person who waits.</summary>
    /// <param name="torn">The repeat that was given up, if one was.</param>
    public void Finish(EnergyEvidence evidence, IReadOnlyList<RankRecord> ranks, int? torn)
    {
        if (torn is { } repeat) evidence = Cut(evidence, repeat);
        if (evidence.RanToEnd) Book.CheckWhole(_options.Repeats.UntilCi != null ? null : _options.Repeats.Count);
        List<PieceEvidence> pieces = [.. _earlier];
        if (Book.Batches > 0 || pieces.Count == 0 || evidence.RanToEnd)
        {
            pieces.Add(new(Book.Piece, evidence));
            pieces[^1].Write(Directory.Path,
                TornRepeat.Rows(evidence.Windows, ranks, evidence.WorldSize, rank => _model.RowOf(Directory.RunId, rank)));
        }

        Tell(_starts[^1] with { EndedUtc = Now(), End = evidence.RanToEnd ? "complete" : "interrupted", Batches = Book.Batches });
        Conclude(pieces, evidence.RanToEnd ? RunStatus.Complete : RunStatus.Interrupted);
    }

    /// <summary>What follows from all pieces together.</summary>
    private void Conclude(IReadOnlyList<PieceEvidence> pieces, string status)
    {
        var account = new RunAccount(pieces);
        var steps = pieces.ToDictionary(piece => piece.Number, piece => Book.Steps(piece.Number, piece.Evidence.ClockOf).ToList());
        var (rows, attributions) = account.Fill(Book.Rows, piece => steps[piece]);
        foreach (var piece in pieces) piece.WriteSteps(Directory.Path, steps[piece.Number]);
        PieceEvidence.WriteFigures(Directory.Path, account, rows, pieces[0]);
        Directory.CompleteResults(rows);

        _manifest[StartRecord.Section] = _starts;
        _manifest.Run = _manifest.Run with
        {
            Status = status,
            Gpu = account.GpuName ?? _starts.LastOrDefault(start => start.Device != null)?.Device,
            NumGpus = account.Gpus,
            KvDtype = _model.Loaded is { } loaded ? DTypes.Label(loaded.Backend.CacheType) : _manifest.Run.KvDtype,
            PaperEnergyJoules = account.PaperJoules(),
            Pieces = pieces.Count,
            Itl = Distribution.Of(Book.Gaps()),
            CoreWaitShare = RankRecord.LargestCoreWait(pieces.SelectMany(piece => new RunReader(Directory.Path).Ranks(piece.Number))),
        };
        _manifest.Run = SteadyState.Describe(_manifest.Run, SteadyState.Of(_manifest.Run, account, rows, piece => steps[piece]));
        Directory.WriteManifest(_manifest);
        var summary = Summary.Compute(account.Describe(_manifest.Run, attributions), rows, account.DurationSeconds);
        if (_carbon != null && CarbonTerms.Of(_carbon, account, summary, rows) is { } carbon)
        {
            summary = carbon.AddTo(summary);
            Directory.WriteJson(RunFile.Carbon.Name, carbon);
        }
        List<string> remarks = [.. account.Pieces.SelectMany(piece => piece.Energy.Remarks).Distinct()];
        if (remarks.Count > 0)
        {
            _manifest["energy_remarks"] = remarks;
            Directory.WriteManifest(_manifest);
        }
        var categories = CategoryRecord.Of(summary, rows);
        if (categories.Count > 0) Directory.WriteCsv(RunFile.Categories.Name, categories);
        Directory.WriteSummary(summary);
        if (status == RunStatus.Complete) DropJournals();
        var console = ResultConsole.On(Console.Out);
        SampleAnswers.Write(console, Book.FirstResponses);
        if (_carbon != null && summary.Carbon.GramsPerResponse == null)
            console.Write(
                new Spectre.Console.Text("the SCI columns are empty: the run has no energy, or hours that the file of carbon intensities "
                + "lacks\n"));
        foreach (var remark in remarks) console.Write(new Spectre.Console.Text(remark + "\n"));
        SummaryTable.Write(console, summary, categories, Directory.Path);
    }

    /// <summary>
    /// The run cannot go on. One that has finished nothing leaves nothing, unless a GPU is still to be put back by what lies here; what
    /// others have stays, with why it ended.
    /// </summary>
    public void Fail(string why)
    {
        if (_starts.Count > 1 || Book.Rows.Count > 0 || PowerControl.HasRecords(Directory.Path))
        {
            _starts[^1] = _starts[^1] with { EndedUtc = Now(), End = "failed", Why = why };
            _manifest[StartRecord.Section] = _starts;
            // Where the storage is what failed, that is the failure to report.
            try { Directory.WriteManifest(_manifest); }
            catch (UserErrorException) { }
            return;
        }
        Dispose();
        StorageFailure.Guard(Directory.Path, () => System.IO.Directory.Delete(Directory.Path, recursive: true));
    }

    public void Dispose()
    {
        _lease.Dispose();
        _journal.Dispose();
        Directory.Dispose();
    }

    /// <summary>A repeat that was stopped ends, on each replica, with its last finished batch.</summary>
    private EnergyEvidence Cut(EnergyEvidence evidence, int repeat)
    {
        var window = evidence.Windows.First(one => one.Repeat == repeat && one.Kind == WindowKind.Measured);
        return evidence with { Windows = TornRepeat.Cut(evidence, window, CutOf, window.EndSeconds) };

        double? CutOf(int replica) => Book.EndOf(repeat, replica) is { } end
            ? Math.Min(evidence.ClockOf(replica).ToRunClock(end), window.EndSeconds) : null;
    }

    private void DropJournals()
    {
        _lease.Dispose();
        _journal.Dispose();
        Directory.DropJournals();
    }

    /// <summary>The latest word on this start.</summary>
    private void Tell(StartRecord start)
    {
        _starts[^1] = start;
        _journal.Append(start);
    }

    private static string Now() => DateTimeOffset.UtcNow.ToString(StartRecord.TimeFormat, CultureInfo.InvariantCulture);
}
