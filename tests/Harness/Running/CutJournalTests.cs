using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Configuration;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Pieces;
using Harness.Runs.Verifying;
using Harness.Sharding.Communicators;
using Harness.Tests.EndToEnd;
using Harness.Tests.Runs;

namespace Harness.Tests.Running;

/// <summary>
/// A run as rank 0 writes it down, with a clock and a meter of the test's own: batches of a second each, 80 W read eight times a second,
/// all exact in binary. It is killed within its second repeat; one file is cut at every kind of length, as a machine that went down leaves
/// it; and the next start ends as the run that was never cut, to the last joule.
/// </summary>
[Parallelizable]
internal sealed class CutJournalTests
{
    private const double Watts = 80;
    private const int Prompts = 6, Batch = 2, Repeats = 2;

    /// <summary>Of an entry: where its own bytes begin, the first of which is 3 for a batch.</summary>
    private const int BehindChecksum = 8, BatchKind = 3;

    private readonly ScratchDirectory _scratch = new();
    private ResolvedConfiguration _configuration = new(null, new Dictionary<string, string?>());
    private RankModel? _model;
    private PromptSet? _prompts;

    private RankModel Model => _model ?? throw new InvalidOperationException();
    private PromptSet Set => _prompts ?? throw new InvalidOperationException();
    private string Killed => _scratch["killed", "run"];

    private ResolvedConfiguration Settings(string output) => new(null, new Dictionary<string, string?>
    {
        ["Dataset:Limit"] = $"{Prompts}",
        ["Batch:Size"] = $"{Batch}",
        ["Repeats:Count"] = $"{Repeats}",
        ["Generation:MaxNewTokens"] = "3",
        ["Runtime:Backend"] = "cpu",
        ["Output:Directory"] = _scratch[output],
        ["Output:Name"] = "run",
    });

    [OneTimeSetUp]
    public void Kill()
    {
        _configuration = Settings("killed");
        _model = new(_configuration, new SoloCommunicator(), new NoProgress());
        _prompts = PromptSet.Load(_configuration.Options, _model.Checkpoint.Config, new NoProgress());
        using (var start = new ScriptedStart(this, "killed")) start.Run(batches: Prompts / Batch + 1);
        Assert.That(Directory.GetFiles(Killed).Where(path => RunFileTests.RowOf(path) == null), Is.Empty,
            "files without a row in the table");
    }

    [OneTimeTearDown]
    public void End()
    {
        _model?.Dispose();
        _scratch.Dispose();
    }

    [Test]
    public void AnEntryLessEachTimeTheJournalGivesTheBatchesThatItHas()
    {
        var bytes = File.ReadAllBytes(Path.Combine(Killed, RunFile.Journal.Name));
        var (batches, begin) = (0, 0);
        foreach (var end in Ends(bytes))
        {
            // Every length within an entry is read as the one where it begins (JournalTests): one byte short stands for all of them.
            var run = CheckCut(RunFile.Journal.Name, bytes[..(end - 1)]);
            Assert.That(run.Prompts.Count(row => row["piece"] == "1"), Is.EqualTo(Batch * batches), $"{end - 1} bytes");
            if (bytes[begin + BehindChecksum] == BatchKind) batches++;
            begin = end;
        }
        Assert.That(CheckCut(RunFile.Journal.Name, bytes).Prompts.Count(row => row["piece"] == "1"), Is.EqualTo(Batch * batches));
        Assert.That(batches, Is.EqualTo(Prompts / Batch + 1));
    }

    [Test]
    public void AnEntryLessEachTimeTheReadingsGiveWhatTheyCover()
    {
        var file = RunFile.EnergyJournal.OfRank(0).Name;
        var bytes = File.ReadAllBytes(Path.Combine(Killed, file));
        foreach (var end in Ends(bytes).Prepend(0)) CheckCut(file, bytes[..end]);
    }

    [TestCase("prompts.partial.csv")]
    [TestCase("responses.partial.jsonl")]
    [TestCase("manifest.json")]
    public void WhatFollowsFromTheJournalsMayBeCutToo(string file)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Killed, file));
        foreach (var length in new[] { 0, bytes.Length / 2, bytes.Length - 1 }) CheckCut(file, bytes[..length]);
    }

    /// <summary>Without its file a rank with a meter looked like one without, whose devices nobody counts.</summary>
    [Test]
    public void ReadingsOfARankWithAMeterThatAreNotThereAreNamed()
    {
        var run = CheckCut(RunFile.EnergyJournal.OfRank(0).Name, null, out var notes);
        Assert.That(notes, Has.Some.EqualTo($"{run[RunFile.EnergyJournal.OfRank(0).Name]} is not there, and the rank had a meter: nobody "
            + $"knows what the {Prompts + Batch} answers of start 1 cost, and they are done again"));
        Assert.That(run.Prompts.Select(row => row["piece"]), Is.All.EqualTo("2"));
        Assert.That(File.Exists(run["energy.json"]), Is.False, "the first start is no piece");
    }

    [Test]
    public void ARunThatIsVerifiedKnowsWhichRanksHadAMeter()
    {
        using (var start = new ScriptedStart(this, "read")) start.RunToEnd();
        var (run, energy) = (_scratch["read", "run"], _scratch["read", "run", "energy.json"]);
        Assert.That(new RunVerification(run).Check(), Is.Empty);
        var tree = JsonNode.Parse(File.ReadAllText(energy))!;
        tree["evidence"]!["ranks"]![0]!["reads"] = new JsonArray();
        File.WriteAllText(energy, tree.ToJsonString());
        Assert.That(new RunVerification(run).Check(), Has.Some.EqualTo(
            "energy.json: rank 0 had a meter when start 1 began, and reads nothing here"));
    }

    /// <summary>Ended in order, then cut: the journal's end is lost, and with it the word that what lies on the disk is all.</summary>
    [Test]
    public void AStartThatWasStoppedInOrderCountsWhatItsJournalHas([Values(0, 1, 3)] int lost)
    {
        using (var start = new ScriptedStart(this, $"stopped{lost}"))
        {
            start.Run(batches: Prompts / Batch + 1);
            start.Stop();
        }
        var path = _scratch[$"stopped{lost}", "run", RunFile.Journal.Name];
        var bytes = File.ReadAllBytes(path);
        var ends = Ends(bytes);
        File.WriteAllBytes(path, bytes[..ends[^(1 + lost)]]);
        var run = Continue($"stopped{lost}", out _);
        var kept = Prompts + Batch - (lost > 1 ? Batch : 0);    // behind the last batch: the start's end
        Assert.That(run.Prompts.Count(row => row["piece"] == "1"), Is.EqualTo(kept));
    }

    private RunOutput CheckCut(string file, byte[]? content) => CheckCut(file, content, out _);

    /// <param name="content">Null: the file is not there.</param>
    private RunOutput CheckCut(string file, byte[]? content, out IReadOnlyList<string> notes)
    {
        var output = string.Create(CultureInfo.InvariantCulture, $"{file}-{content?.Length ?? -1}");
        Directory.CreateDirectory(_scratch[output, "run"]);
        foreach (var path in Directory.GetFiles(Killed)) File.Copy(path, _scratch[output, "run", Path.GetFileName(path)]);
        File.Delete(_scratch[output, "run", file]);
        if (content != null) File.WriteAllBytes(_scratch[output, "run", file], content);
        return Continue(output, out notes);
    }

    private RunOutput Continue(string output, out IReadOnlyList<string> notes)
    {
        using (var start = new ScriptedStart(this, output))
        {
            notes = start.Notes;
            start.RunToEnd();
        }
        var run = new RunOutput(Directory.GetDirectories(_scratch[output]).Order(StringComparer.Ordinal).Last());
        var summary = run.Summary;
        Assert.That(summary["status"], Is.EqualTo("complete"), output);
        Assert.That(run.OutputIds(), Is.EqualTo(
            (from repeat in Enumerable.Range(1, Repeats)
             from item in Set.Workload.Items
             select KeyValuePair.Create((repeat, item.PromptIndex), ScriptedStart.Answer(repeat, item.Number))).ToDictionary()),
            $"{output}: every prompt of every repeat once, with the same tokens");
        Assert.That(Number(summary["duration_s"]), Is.InRange(Repeats * Prompts / Batch, Repeats * Prompts / Batch + 1), output);
        Assert.That(Number(summary["total_energy_j"]), Is.EqualTo(Watts * Number(summary["duration_s"])), output);
        Assert.That(run.Prompts.Sum(row => Number(row["energy_j"])) + Number(summary["unattributed_energy_j"]),
            Is.EqualTo(Number(summary["total_energy_j"])).Within(1e-9), output);
        Assert.That(new RunVerification(run.Path).Check(), Is.Empty, output);
        return run;
    }

    /// <summary>Where the entries of a journal end: each is as long as its first four bytes say, behind them.</summary>
    private static List<int> Ends(byte[] bytes)
    {
        var ends = new List<int>();
        for (var at = 0; at < bytes.Length; ends.Add(at)) at += sizeof(int) + BitConverter.ToInt32(bytes, at);
        return ends;
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    /// <summary>One start: what rank 0 is told of a run whose every moment is known beforehand.</summary>
    private sealed class ScriptedStart : IDisposable
    {
        private const double Sample = 0.125;

        private static readonly EnergyDomain s_domain = new("n", "node", DomainKind.Node, "command");

        private readonly CutJournalTests _test;
        private readonly RunFiles _files;
        private readonly EnergyJournal _energy;
        private readonly List<EnergyReading> _readings = [];
        private readonly List<EnergyWindow> _windows = [];
        private readonly EnergyReport _head;
        private double _seconds, _keptSeconds = -Sample;
        private int _batches;

        public ScriptedStart(CutJournalTests test, string output)
        {
            _test = test;
            _files = RunFiles.Open(test.Settings(output), test.Model, test.Set, PowerCell.Of(test._configuration.Options.Energy)[0], null,
                meteredRanks: [0], out _)!;
            _head = new(0, [new(s_domain.Key, Sample, 10, null, 0.001)], [s_domain], [DomainFacts.NotApplicable(s_domain)],
                new(0, 0, 0, null, 0, 0), new(ClockOffset.Zero, ClockOffset.Zero), DateTimeOffset.UnixEpoch);
            _energy = new(_files.Start.StartDirectory, 0, JsonSerializer.Serialize(_head));
            Window(new("idle", WindowKind.Idle, 0, 0), 2);
        }

        public IReadOnlyList<string> Notes => _files.Notes;

        public static int[] Answer(int repeat, int number) => [65 + number, 97 + repeat, 98];

        public void Dispose()
        {
            _energy.Dispose();
            _files.Dispose();
        }

        public void RunToEnd()
        {
            Run(int.MaxValue);
            Finish(torn: null);
        }

        /// <summary>A signal comes within the last repeat, half a second behind a batch.</summary>
        public void Stop()
        {
            _windows[^1] = _windows[^1] with { EndSeconds = Advance(0.5) };
            Finish(Repeats);
        }

        /// <summary>Until so many batches are done, and then nothing more.</summary>
        public void Run(int batches)
        {
            for (var repeat = _files.Start.FinishedRepeats + 1; repeat <= Repeats; repeat++)
            {
                var left = _test.Set.Workload.Items.Select(item => item.Number)
                    .Except(_files.Start.Finished.Where(done => done.Repeat == repeat).Select(done => done.Number)).Chunk(Batch).ToList();
                _files.BeginRepeat(repeat);
                var window = new EnergyWindow($"measured-{repeat}", WindowKind.Measured, _seconds, _seconds, repeat);
                _files.Record(window);
                _windows.Add(window);
                foreach (var numbers in left)
                {
                    if (_batches == batches) return;
                    Do(repeat, numbers);
                }
                _windows[^1] = window with { EndSeconds = Advance(Sample) };
                _files.Record(_windows[^1]);
            }
        }

        /// <summary>Half a second of prompts, then two tokens more.</summary>
        private void Do(int repeat, int[] numbers)
        {
            var (start, batch) = (_seconds, _files.Start.NextBatch + _batches++);
            Advance(1);
            var prefill = new Step
            {
                Repeat = repeat,
                Replica = 0,
                Batch = batch,
                MicroBatch = 0,
                Kind = StepKind.Prefill,
                StartSeconds = start,
                EndSeconds = start + 0.5,
                Rows = [.. numbers.Select(number => (int?)number)],
                Tokens = [.. numbers.Select(number => _test.Set.Workload.Items[number].Tokens.Length)],
            };
            Step Decode(double from) => prefill with { Kind = StepKind.Decode, StartSeconds = from, EndSeconds = from + 0.25, Tokens = null };
            _files.Take(new(repeat, 0, 0, batch, _seconds, [.. numbers.Select(number => new SequenceReport(number, false, start, null,
                Answer(repeat, number), [start + 0.5, start + 0.75, start + 1]))], [prefill, Decode(start + 0.5), Decode(start + 0.75)]));
        }

        private void Window(EnergyWindow window, double seconds)
        {
            window = window with { StartSeconds = _seconds, EndSeconds = _seconds + seconds };
            Advance(seconds);
            _windows.Add(window);
            _files.Record(window);
        }

        /// <summary>Time passes, and the meter is read and kept, the last moment included.</summary>
        private double Advance(double seconds)
        {
            var fresh = new List<EnergyReading>();
            for (_seconds += seconds; _keptSeconds < _seconds;)
            {
                _keptSeconds += Sample;
                fresh.Add(new() { TimeSeconds = _keptSeconds, EnergyJoules = Watts * _keptSeconds });
            }
            _readings.AddRange(fresh);
            _energy.Append([new(s_domain, 0, fresh)]);
            return _seconds;
        }

        private void Finish(int? torn)
        {
            var options = _test._configuration.Options;
            _files.Finish(RunEvidence.Of(options, _test.Model.BackendChoice, _test.Model.Groups.Grid, _test.Model.Topology.Hosts,
                [_head with { Series = [new(s_domain, 0, _readings)] }]) with
            { Windows = _windows, RanToEnd = torn == null }, [], torn);
        }
    }
}
