using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Reports.Collecting;
using Harness.Reports.Publishing;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Reports.Publishing;

/// <summary>What a report shows, against runs whose truth is scripted.</summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ReportTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private SyntheticRun Add(SyntheticRun run) => run.Write(_scratch);

    [Test]
    public void FiguresByShardsShowTheScriptedWattsAndJoules()
    {
        // More shards answer sooner, but not as much sooner as they draw more: the direction of the paper.
        var runs = new[]
        {
            Add(new("tp1") { TensorParallel = 1, DeviceWatts = [100], Seconds = 20 }),
            Add(new("tp2") { TensorParallel = 2, DeviceWatts = [90, 120], Seconds = 12 }),
            Add(new("tp4") { TensorParallel = 4, DeviceWatts = [100, 105, 110, 145], Seconds = 8 }),
        };
        var page = Page.Of(_scratch);
        Assert.That(page.Lines("watts-by-shards")[""], Is.EqualTo(new[] { (1.0, 100.0), (2, 210), (4, 460) }));
        Assert.That(page.Lines("joules-per-token-by-shards")[""].Select(p => p.Y),
            Is.EqualTo(new[] { 100 * 20 / 800.0, 210 * 12 / 800.0, 460 * 8 / 800.0 }).Within(1e-12));
        Assert.That(page.Lines("joules-per-response-by-shards")[""].Select(p => p.Y),
            Is.EqualTo(new[] { 100 * 20 / 16.0, 210 * 12 / 16.0, 460 * 8 / 16.0 }).Within(1e-12));
        Assert.That(page.Lines("tokens-per-second-by-shards")[""].Select(p => p.Y), Is.EqualTo(new[] { 800 / 20.0, 800 / 12.0, 800 / 8.0 })
            .Within(1e-12));
        Assert.That(page.Lines("watts-by-shards")[""].Select(p => p.Y), Is.Ordered);
        foreach (var run in runs)
            Assert.That((double)page.Value(run.Name, "energy_per_output_token_j")!, Is.EqualTo(run.JoulesPerToken).Within(1e-12));
    }

    [Test]
    public void ALineHoldsWhatDiffersInNothingElse()
    {
        foreach (var dataset in new[] { "alpaca", "gsm8k" })
            foreach (var batch in new[] { 8, 64 })
                foreach (var shards in new[] { 2, 4 })
                    Add(new($"{dataset}-{batch}-{shards}")
                    {
                        Dataset = dataset,
                        BatchSize = batch,
                        TensorParallel = shards,
                        DeviceWatts = [.. Enumerable.Repeat(batch + (dataset == "alpaca" ? 0.0 : 1.0), shards)]
                    });
        var page = Page.Of(_scratch);
        Assert.That(page.Lines("watts-by-shards"), Is.EquivalentTo(new Dictionary<string, (double, double)[]>
        {
            ["alpaca, batch 8"] = [(2, 16), (4, 32)],
            ["alpaca, batch 64"] = [(2, 128), (4, 256)],
            ["gsm8k, batch 8"] = [(2, 18), (4, 36)],
            ["gsm8k, batch 64"] = [(2, 130), (4, 260)],
        }));
        Assert.That(page.Lines("watts-by-batch")["gsm8k, shards 4"], Is.EqualTo(new[] { (8.0, 36.0), (64, 260) }));
        Assert.That((string?)page.Figure("watts-by-max-length")["empty"], Does.Contain("same maximum generated length: 128"));
        Assert.That((string?)page.Figure("watts-by-input-length")["empty"], Does.Contain("No run has both input length"));
    }

    [Test]
    public void TensorAndPipelineShardsAreLinesThatBeginAtTheSameSingleShard()
    {
        Add(new("one") { DeviceWatts = [100] });
        Add(new("tp2") { TensorParallel = 2, DeviceWatts = [100, 100] });
        Add(new("pp2") { PipelineParallel = 2, DeviceWatts = [80, 80] });
        Add(new("tp2pp2") { TensorParallel = 2, PipelineParallel = 2, DeviceWatts = [90, 90, 90, 90] });
        Assert.That(Page.Of(_scratch).Lines("watts-by-shards"), Is.EquivalentTo(new Dictionary<string, (double, double)[]>
        {
            ["pipeline"] = [(1, 100), (2, 160)],
            ["tensor parallel"] = [(1, 100), (2, 200)],
            ["tensor parallel in 2 stages"] = [(1, 100), (4, 360)],
        }));
    }

    [Test]
    public void ByLengthAndInputLength()
    {
        foreach (var (length, input, watts) in new[] { (64, 128, 100.0), (128, 128, 110), (64, 512, 150) })
            Add(new($"{length}-{input}") { MaxNewTokens = length, FixedInputTokens = input, DeviceWatts = [watts] });
        var page = Page.Of(_scratch);
        Assert.That(page.Lines("watts-by-max-length")[""], Is.EqualTo(new[] { (64.0, 100.0), (128, 110) }));
        Assert.That(page.Lines("watts-by-input-length")[""], Is.EqualTo(new[] { (128.0, 100.0), (512, 150) }));
        Assert.That((string?)page.Figure("watts-by-max-length")["note"], Does.StartWith("1 of 3 runs"));
    }

    [Test]
    public void RunsUnderContinuousBatchingStandByTheirConcurrency()
    {
        foreach (var (concurrency, watts) in new[] { (4, 100.0), (16, 130) })
            Add(new($"c{concurrency}") { Concurrency = concurrency, DeviceWatts = [watts] });
        foreach (var (batch, watts) in new[] { (8, 90.0), (64, 120) }) Add(new($"b{batch}") { BatchSize = batch, DeviceWatts = [watts] });
        var page = Page.Of(_scratch);
        Assert.That(page.Lines("watts-by-concurrency")[""], Is.EqualTo(new[] { (4.0, 100.0), (16, 130) }));
        Assert.That(page.Lines("watts-by-batch")[""], Is.EqualTo(new[] { (8.0, 90.0), (64, 120) }), "no batch of a run that has none");
        Assert.That((page.Value("c4", "batch_size"), (int?)page.Value("c4", "concurrency")), Is.EqualTo(((object?)null, 4)));
    }

    [Test]
    public void ARepetitionIsAPointAndTheLineIsTheMeanOfTheValidOnes()
    {
        FigureSeries series = new("", [new(0, 2, 10), new(1, 2, 20), new(2, 2, 90), new(3, 4, 7), new(4, 1, 5)]);
        Assert.That(series.Means(run => run is 0 or 1 or 4), Is.EqualTo(new[] { (1.0, 5.0), (2, 15), (4, 7) }),
            "at 4 no run is valid, so the invalid one stands");
    }

    /// <summary>Times and joules of 'From Words to Watts', table of power caps: 175 W took 6.7 % longer, 150 W 19.49 %.</summary>
    [Test]
    public void PowerLimitsHaveTheArithmeticOfThePaper()
    {
        Add(new("r-250W") { PowerLimitWatts = 250, Seconds = 100, DeviceWatts = [240] });
        Add(new("r-175W") { PowerLimitWatts = 175, Seconds = 106.7, DeviceWatts = [240 * (1 - 0.2321) / 1.067] });
        Add(new("r-150W") { PowerLimitWatts = 150, Seconds = 119.49, DeviceWatts = [240 * (1 - 0.3315) / 1.1949] });
        Add(new("other-250W") { PowerLimitWatts = 250, Model = "llama-13b" }); // alone: nothing to compare it with
        var page = Page.Of(_scratch);
        var rows = page.Data["caps"]!.AsArray().Single()!["rows"]!.AsArray();
        double[] Column(string name) => [.. rows.Select(row => (double)row![name]!)];
        Assert.That(Column("limitWatts"), Is.EqualTo(new[] { 250.0, 175, 150 }));
        Assert.That(Column("timeChange"), Is.EqualTo(new[] { 0, 0.067, 0.1949 }).Within(1e-12));
        Assert.That(Column("energyChange"), Is.EqualTo(new[] { 0, -0.2321, -0.3315 }).Within(1e-12));
        Assert.That(Column("rateChange"), Is.EqualTo(new[] { 0, 1 / 1.067 - 1, 1 / 1.1949 - 1 }).Within(1e-12),
            "tokens per second, which were not computed from these times");
        Assert.That(Column("expectedRateChange"), Is.EqualTo(Column("rateChange")).Within(1e-12));
        var energy = page.Data["capFigure"]!["series"]!.AsArray().Single(s => (string)s!["label"]! == "energy")!["points"]!.AsArray();
        Assert.That(energy.Select(p => ((double)p!["x"]!, Math.Round((double)p["y"]!, 9))),
            Is.EqualTo(new[] { (250.0, 0.0), (175, -23.21), (150, -33.15) }));
    }

    [Test]
    public void TheParetoFrontIsWhatNoValidRunBeatsInBoth()
    {
        var random = new Random(7);
        var summaries = Enumerable.Range(0, 200).Select(i => new ReportedRun($"r{i}", "", Runs.Records.Samples.Summary($"{i}") with
        {
            Latency = new() { P50 = Math.Round(random.NextDouble(), 2) },
            Energy = new() { PerOutputToken = Math.Round(random.NextDouble(), 2) },
            Valid = i % 5 != 0,
        })).ToList();
        (double X, double Y) At(int i) => (summaries[i].Summary.Latency.P50!.Value, summaries[i].Summary.Energy.PerOutputToken!.Value);
        bool Beats(int a, int b) => summaries[a].Summary.Valid && At(a).X <= At(b).X && At(a).Y <= At(b).Y && At(a) != At(b);
        var front = ParetoFront.Of(summaries).First().Front;
        var expected = Enumerable.Range(0, 200)
            .Where(i => summaries[i].Summary.Valid && !Enumerable.Range(0, 200).Any(other => Beats(other, i))).Select(At).Distinct();
        Assert.That(front.Select(p => (p.X, p.Y)), Is.EquivalentTo(expected));
        Assert.That(front, Is.Not.Empty);
    }

    /// <summary>A superchip's module draws more than a GPU: that the GPU's run beats it says nothing.</summary>
    [Test]
    public void RunsOfTwoScopesOfEnergyHaveAFrontAndALineEach()
    {
        ReportedRun Run(string id, string scope, int batch, double latency, double joules) =>
            new(id, "", Runs.Records.Samples.Summary(id) with
            {
                EnergyScope = scope,
                BatchSize = batch,
                Latency = new() { P50 = latency },
                Energy = new() { Total = joules, PerOutputToken = joules },
                TokensPerSecond = batch,
                Valid = true,
            });
        List<ReportedRun> runs =
            [Run("a", "gpu", 1, 1, 4), Run("b", "gpu", 2, 2, 3), Run("c", "module", 1, 2, 8), Run("d", "module", 2, 3, 9)];
        var figures = ReportFigures.Of(runs, new RunsBelow("report", TextWriter.Null), PublishedFigures.None);
        Assert.That(figures.Pareto[0].Fronts.Select(front => (front.Scope, string.Join(' ', front.Points.Select(point => point.Run)))),
            Is.EqualTo(new[] { ("gpu", "0 1"), ("module", "2") }));
        Assert.That(figures.Pareto[0].Figure().Series.Select(series => series.Label),
            Is.EqualTo(new[] { "Pareto front, energy of gpu", "Pareto front, energy of module", "other runs" }));
        string[] Lines(string id) => [.. figures.Sweeps.Single(figure => figure.Id == id).Series.Select(series => series.Label)];
        Assert.That(Lines("joules-per-token-by-batch"), Is.EqualTo(new[] { "energy of gpu", "energy of module" }));
        Assert.That(Lines("tokens-per-second-by-batch"), Has.Length.EqualTo(1), "throughput is no energy");
        Assert.That(figures.ScopeWarning, Does.Contain("gpu in 2 runs, module in 2 runs").And.Contain("not comparable"));
        Assert.That(MarkdownReport.Of(runs, figures), Does.Contain("| energy of |").And.Contain("not comparable"));
        var ofOneScope = ReportFigures.Of([.. runs.Take(2)], new RunsBelow("report", TextWriter.Null), PublishedFigures.None);
        Assert.That(ofOneScope.ScopeWarning, Is.Null);
    }

    [Test]
    public void PowerOverTimeHasEveryDeviceAndItsWindows()
    {
        Add(new("r") { TensorParallel = 2, DeviceWatts = [90, 120], Seconds = 12 });
        var trace = Page.Of(_scratch).Run("r")["power"]!.AsArray().Single()!;
        Assert.That(trace["series"]!.AsArray().Select(s => (string)s!["device"]!), Is.EqualTo(new[] { "GPU-0", "GPU-1" }));
        Assert.That(trace["series"]![0]!["mean"]!.AsArray().Select(w => (double)w!), Is.EqualTo(Enumerable.Repeat(90.0, 171)),
            "17 s of samples every 0.1 s");
        Assert.That(trace["series"]![1]!["mean"]!.AsArray().Select(w => (double)w!), Has.All.EqualTo(120));
        Assert.That(trace["windows"]!.AsArray().Select(w => ((string)w!["kind"]!, (double)w["end"]! - (double)w["start"]!)),
            Is.EqualTo(new[] { ("load", 2.0), ("idle", 3), ("measured", 12) }));
    }

    [Test]
    public void ARunThatWasContinuedHasTheTraceOfEachStart()
    {
        Add(new("r") { DeviceWatts = [90], Seconds = 12 });
        Add(new("second") { DeviceWatts = [70], Seconds = 6 });
        Directory.CreateDirectory(_scratch["r", "piece-2"]);
        foreach (var file in new[] { RunFile.Power.Name, RunFile.Windows.Name })
            File.Move(_scratch["second", file], _scratch["r", "piece-2", file]);
        var traces = Page.Of(_scratch).Run("r")["power"]!.AsArray();
        Assert.That(traces.Select(t =>
            ((int)t!["piece"]!, (double)t["series"]![0]!["mean"]![0]!, t["series"]![0]!["mean"]!.AsArray().Count)),
            Is.EqualTo(new[] { (1, 90.0, 171), (2, 70, 111) }));
    }

    [Test]
    public void LatencyDistributionsAndCategoriesFollowFromThePrompts()
    {
        var run = Add(new("r") { Categories = ["code", "math", null], DeviceWatts = [120], Prompts = 12 });
        var node = Page.Of(_scratch).Run("r");
        Assert.That((int)node["latency"]!["count"]!, Is.EqualTo(12));
        Assert.That(node["latency"]!["values"]!.AsArray().Select(v => (double)v!), Is.EqualTo(Enumerable.Range(0, 12).Select(run.LatencyOf))
            .Within(1e-4));
        Assert.That(node["latency"]!["share"]!.AsArray().Select(v => (double)v!), Is.EqualTo(Enumerable.Range(1, 12).Select(i => i / 12.0))
            .Within(1e-5));
        var math = node["categories"]![1]!;
        // Prompts 1, 4, 7, 10: of four answers, that of prompt 4 is wrong. A third of the joules for a third of the tokens.
        Assert.That(((string?)math["category"], (int)math["completed"]!, (long)math["total_input_tokens"]!,
            (long)math["total_output_tokens"]!, (double)math["accuracy"]!), Is.EqualTo(("math", 4, 40L + 1 + 4 + 7 + 10, 200L, 0.75)));
        Assert.That((double)math["energy_j"]!, Is.EqualTo(run.Joules / 3).Within(1e-9));
        Assert.That((double)math["energy_per_output_token_j"]!, Is.EqualTo(run.JoulesPerToken).Within(1e-9));
        Assert.That((double)math["latency_p50_s"]!, Is.EqualTo((run.LatencyOf(4) + run.LatencyOf(7)) / 2).Within(1e-9));
        Assert.That(node["categories"]!.AsArray().Select(c => (string?)c!["category"]), Is.EqualTo(new[] { "code", "math" }));
    }

    /// <summary>Latencies of prompt i are 20 s × (0.1 + 0.9 (i + 1) / 16), first tokens come after a tenth of them; 2,000 J.</summary>
    [Test]
    public void ThePageHasTheTimesOfEveryRequestAndTheBounds()
    {
        var run = Add(new("a"));
        Add(new("b") { ItlP99ByTpot = null, Slo = "ttft=1s,latency=11s" });
        var page = Page.Of(_scratch);
        double[] Times(string label, string name) =>
            [.. page.Run(label)["requests"]!["times"]![name]!.AsArray().Select(seconds => (double)seconds!)];
        Assert.That((int)page.Run("a")["requests"]!["count"]!, Is.EqualTo(16));
        Assert.That(Times("a", "latency"), Is.EqualTo(Enumerable.Range(0, 16).Select(run.LatencyOf)).Within(1e-4));
        Assert.That(Times("a", "itl"), Is.EqualTo(Enumerable.Range(0, 16).Select(i => 2 * 0.9 * run.LatencyOf(i) / 49)).Within(1e-5));
        Assert.That(page.Run("b")["requests"]!["times"]!["itl"], Is.Null, "a version that did not tell it");
        Assert.That((string?)page.Data["slo"]!["text"], Is.EqualTo("ttft=1s,latency=11s"), "of the only run that has bounds");
        Assert.That((int?)page.Value("b", "good_requests"), Is.EqualTo(7),
            "first tokens of seven are within 1 s, latencies of eight in 11");
        Assert.That(page.Run("a")["itl"]!["values"]!.AsArray().Select(gap => (double)gap!), Is.EqualTo(Enumerable.Repeat(0.125, 16)));
    }

    [Test]
    public void JoulesOfAGoodRequestAgainstABound()
    {
        ServedRequest Request(double ttft, double latency, bool failed = false) => new(failed, 2, ttft, 0.1, 0.1, latency, 1);
        List<ServedRequest> requests =
            [Request(3, 9), Request(1, 5), Request(2, 11), Request(1, 6), Request(4, 7), Request(1, 1, failed: true)];
        IReadOnlyList<FigurePoint> Curve(string name, Slo others) =>
            GoodputFigures.Curve(0, requests, Slo.Times.Single(time => time.Name == name), others, 60);
        Assert.That(Curve("ttft", Slo.None), Is.EqualTo(new FigurePoint[] { new(0, 1, 30), new(0, 2, 20), new(0, 3, 15), new(0, 4, 12) }));
        Assert.That(Curve("ttft", Slo.Parse("latency=8s", "")), Is.EqualTo(new FigurePoint[] { new(0, 1, 30), new(0, 4, 20) }));
        requests.Add(Request(1, 2) with { ItlP99Seconds = null });
        Assert.That(Curve("itl", Slo.None), Is.Empty, "not known of one");
        Assert.That(Curve("ttft", Slo.None), Has.Count.EqualTo(4));
    }

    /// <summary>The frugal run answers late: it has the fewest joules where the bound is wide, the swift one where it is tight.</summary>
    [Test]
    public void TheFrontOfGoodputIsTheLeastOfTheValidRunsAtEveryBound()
    {
        Add(new("swift") { Seconds = 10, DeviceWatts = [400] });
        Add(new("frugal") { Seconds = 40, DeviceWatts = [50] });
        Add(new("invalid") { Seconds = 40, DeviceWatts = [1], InvalidReasons = "sample_gap" });
        var found = new RunsBelow("report", TextWriter.Null);
        var figure = GoodputFigures.Of(RunSet.Load([_scratch.Path], found), Slo.None, found).Single(one => one.Id == "goodput-latency");
        var front = figure.Series[0];
        Assert.That(figure.Series.Select(series => series.Label), Is.EqualTo(
            new[] { "Pareto front", "frugal", "invalid (energy not valid)", "swift" }));
        // 4,000 J and 2,000 J of 16 requests each: 250 J at 10 s; the frugal one has 2,000 / 8 at 22 s, and less from 9 requests on.
        Assert.That(front.Points.First(point => point.X >= 10).Y, Is.EqualTo(250).Within(2e2));
        Assert.That(front.Points[^1], Is.EqualTo(new FigurePoint(0, 40, 125)));
        Assert.That(front.Points.Where(point => point.X <= 10).Select(point => point.Run).Distinct(), Does.Contain(2));
        Assert.That(front.Points.Select(point => point.Run), Does.Not.Contain(1));
        Assert.That(front.Points.Select(point => point.Y), Is.Ordered.Descending);
    }

    [Test]
    public void IncompleteInvalidAndUnmeasuredRunsAreThereAndMarked()
    {
        Add(new("a-valid"));
        Add(new("b-invalid") { InvalidReasons = "sample_gap;throttled" });
        Add(new("c-unmeasured") { DeviceWatts = [] });
        Add(new("d-going") { Status = RunStatus.Incomplete });
        var page = Page.Of(_scratch);
        Assert.That(page.Data["runs"]!.AsArray()
            .Select(r => ((string)r!["status"]!, (bool)r["valid"]!, string.Join(',', r["reasons"]!.AsArray().Select(x => (string)x!)))),
            Is.EqualTo(new[] { ("complete", true, ""), ("complete", false, "sample_gap,throttled"), ("complete", false, "no_meter"),
                ("incomplete", false, "") }));
        Assert.That(page.Value("c-unmeasured", "total_energy_j"), Is.Null);
        Assert.That((double)page.Value("c-unmeasured", "tokens_per_s")!, Is.EqualTo(40));
        Assert.That(page.Run("d-going")["power"]!.AsArray(), Is.Empty);
    }

    /// <summary>The table of the document has the rows of the program's, in the same order and words.</summary>
    [Test]
    public void EveryReasonIsExplainedByTheDocument()
    {
        var lines = File.ReadAllLines(Path.Combine(SharedData.RepositoryRoot, "docs", "measurement.md"));
        var table = lines.SkipWhile(line => line != "| reason | means |").Skip(2).TakeWhile(line => line.StartsWith('|'));
        Assert.That(table, Is.EqualTo(InvalidReason.Table.Select(reason => $"| `{reason.Code}` | {reason.Meaning} |")));
    }

    [Test]
    public void ThePageCarriesTheLicencesOfItsLibraries()
    {
        Add(new("r"));
        Assert.That(Page.Of(_scratch).Html,
            Does.Contain("Mike Bostock\n\nPermission to use, copy").And.Contain("Observable, Inc.\n\nPermission to use, copy"));
    }

    [Test]
    public void NoTextOfARunBecomesMarkup()
    {
        const string hostile = "x</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>{{scripts}}\"'&\u2028";
        Add(new("r")
        {
            Model = hostile,
            Categories = [hostile],
            Manifest = new Dictionary<string,
            object>
            { ["note"] = new { Text = hostile } }
        });
        var page = Page.Of(_scratch);
        Assert.That(page.Html, Does.Not.Contain("<script>alert").And.Not.Contain("<img"));
        const string shown = "x</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>{{scripts}}\"'&\\u2028";
        Assert.That((string?)page.Value("r", "model"), Is.EqualTo(shown));
        Assert.That((string?)page.Run("r")["categories"]![0]!["category"], Is.EqualTo(shown));
        Assert.That((string?)page.Run("r")["manifest"]!["note"]!["text"], Is.EqualTo(hostile));
    }

    [Test]
    public void RunsOfOtherVersionsAndDamagedOnesDoNotStandInTheWay()
    {
        Add(new("ours"));
        _scratch.File("older/summary.csv", "schema_version,run_id,status,valid,tokens_per_s\n1,old,complete,true,17.5\n");
        _scratch.File("newer/summary.csv", "schema_version,run_id,status,valid,marvels\n9,new,complete,true,many\n");
        _scratch.File("newer/categories.csv", "run_id,category,marvels,accuracy\nnew,\"code, tests\",9,0.5\n");
        _scratch.File("older/categories.csv", "run_id,category,completed\nold,code,several\n");
        _scratch.File("damaged/summary.csv", "run_id,status,tokens_per_s\nd,complete,fast\n");
        var log = new StringWriter();
        Assert.That(new Report(TextWriter.Null, log).Write([_scratch.Path], new(_scratch["report.html"], null, null)), Is.EqualTo(1));
        var page = new Page(File.ReadAllText(_scratch["report.html"]));
        Assert.That(page.Data["runs"]!.AsArray().Select(r => (string)r!["label"]!), Is.EqualTo(new[] { "newer", "older", "ours" }));
        Assert.That((double)page.Value("older", "tokens_per_s")!, Is.EqualTo(17.5));
        Assert.That(log.ToString(), Does.Contain(_scratch["damaged", "summary.csv"]).And.Contain("tokens_per_s").And.Contain("fast"));
        Assert.That(log.ToString(), Does.Contain(_scratch["older", "categories.csv"] + ":2: column completed holds 'several'"));
        var category = page.Run("newer")["categories"]!.AsArray().Single()!;
        Assert.That(((string?)category["category"], (double)category["accuracy"]!, category["completed"]),
            Is.EqualTo(("code, tests", 0.5, (object?)null)));
    }

    [Test]
    public void WithoutARunThereIsOneLine() =>
        Assert.That(() => new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(_scratch["report.html"], null, null)),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(_scratch.Path));

    [Test]
    public void NamesAreAsLongAsTheyMustBe()
    {
        Add(new("grid-10/r"));
        Add(new("grid-2/r"));
        Assert.That(Page.Of(_scratch).Data["runs"]!.AsArray().Select(r => (string)r!["label"]!),
            Is.EqualTo(new[] { "grid-2/r", "grid-10/r" }));
    }

    [Test]
    public void ThousandsOfRunsMakeABoundedPage()
    {
        for (var i = 0; i < 1500; i++)
        {
            var run = new SyntheticRun($"r{i}")
            {
                BatchSize = i + 1,
                DeviceWatts = [1, 2, 3, 4],
                Prompts = 60,
                Seconds = 20,
                SampleInterval = 0.5
            };
            if (i == 0) run.Write(_scratch);
            else Copy("r0", run);
        }
        var page = Page.Of(_scratch);
        Assert.That(page.Data["runs"]!.AsArray(), Has.Count.EqualTo(1500));
        Assert.That(page.Data["notes"]!.AsArray().Select(n => (string)n!), Has.Some.Contains("at most 66 prompts"));
        Assert.That(page.Html, Has.Length.LessThan(25_000_000));
        var drawn = page.Data["runs"]!.AsArray().Where(r => r!["power"]!.AsArray().Count > 0).ToList();
        Assert.That(drawn.Sum(r => r!["power"]![0]!["series"]!.AsArray().Sum(s => s!["mean"]!.AsArray().Count)),
            Is.InRange(100_000, 201_000));
        Assert.That(page.Data["notes"]!.AsArray().Select(n => (string)n!),
            Has.Some.Contains($"Power over time of {1500 - drawn.Count} runs was left out"));
    }

    /// <summary>The files of one run under the identity of another.</summary>
    private void Copy(string from, SyntheticRun to)
    {
        Directory.CreateDirectory(_scratch[to.Name]);
        foreach (var file in Directory.GetFiles(_scratch[from]))
        {
            var target = _scratch[to.Name, Path.GetFileName(file)];
            if (Path.GetFileName(file) == RunFile.Summary.Name) File.WriteAllText(target, File.ReadAllText(file)
                .Replace(",r0,", $",{to.Name},", StringComparison.Ordinal).Replace("\n2,r0,", $"\n2,{to.Name},", StringComparison.Ordinal));
            else File.Copy(file, target);
        }
    }
}
