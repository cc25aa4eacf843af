using Harness.Common;
using Harness.Reports.Publishing;

namespace Harness.Tests.Reports.Publishing;

/// <summary>Rows of others beneath the figures of runs.</summary>
[TestFixture, Parallelizable]
public sealed class PublishedFiguresTests
{
    private const string Grey = "rgb(154,154,154)", White = "rgb(255,255,255)";

    /// <summary>The columns that are read, among others, in another order than theirs.</summary>
    private const string Header = "model,task,avg_batch_size,avg_output_len,avg_power_watts,energy_per_request_joules,"
        + "energy_per_token_joules,gpu_model,max_num_seqs,median_itl_ms,num_gpus,output_throughput_tokens_per_sec,parallel_data_parallel\n";

    // 500 W ÷ 1000 tokens/s is 0.5 J/token; 300 tokens are 150 J
    private const string Rows = "L-8B,chat,7.9,300,500,150,0.5,H100,8,4.5,2,1000,2\nL-8B,chat,31,300,600,90,0.3,H100,64,6.3,2,2000,2\n";

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    [Test]
    public void ThatNoneIsDrawnIsSaid()
    {
        new SyntheticRun("runs/alone") { Concurrency = 4, DeviceWatts = [100] }.Write(_scratch);
        var log = new StringWriter();
        new Report(TextWriter.Null, log) { References = [_scratch.File("published.csv", Header + Rows)] }
            .Write([_scratch["runs"]], new(_scratch["page.html"], null, null));
        Assert.That(log.ToString(), Does.Contain("none of them is drawn"));
        Assert.That(File.ReadAllText(_scratch["page.html"]), Does.Not.Contain("Hollow grey marks"));
    }

    [Test]
    public void AnOptionThatThereIsNotIsNoDirectory()
    {
        var log = new StringWriter();
        new SyntheticRun("runs/alone").Write(_scratch);
        var code = new Report(TextWriter.Null, log).Write(["--page", _scratch["runs"]], new(_scratch["page.html"], null, null));
        Assert.That(code, Is.EqualTo(1));
        Assert.That(log.ToString(), Does.Contain("report: there is no directory --page"));
    }

    private (string Log, string Folder) Report(string csv)
    {
        foreach (var (concurrency, watts) in new[] { (4, 100.0), (16, 210) })
            new SyntheticRun($"runs/c{concurrency}") { Concurrency = concurrency, DeviceWatts = [watts] }.Write(_scratch);
        var log = new StringWriter();
        var folder = _scratch["figures"];
        new Report(TextWriter.Null, log) { References = [_scratch.File("published.csv", csv)] }
            .Write([_scratch["runs"]], new(_scratch["page.html"], null, folder));
        return (log.ToString(), folder);
    }

    [Test]
    public void TheyAreHollowGreyMarksWithoutALineAndNamedWithTheirScope()
    {
        var (_, folder) = Report(Header + Rows);
        FigureFile svg = new(Path.Combine(folder, "watts-by-concurrency.svg"));

        var grey = svg.Marks.Where(mark => mark.Stroke == Grey).OrderBy(mark => mark.X).ToList();
        Assert.That(grey.Select(mark => svg.Y(mark.Y)), Is.EqualTo(new[] { 500.0, 600 }).Within(0.5));
        Assert.That(grey.Select(mark => mark.Fill), Is.All.EqualTo(White));
        Assert.That(svg.XTicks.Where(tick => tick.Value is 8 or 64).Select(tick => tick.At),
            Is.EqualTo(grey.Select(mark => mark.X)).Within(0.01));
        Assert.That(svg.Lines.Select(line => line.Points.Length), Is.EqualTo(new[] { 2, 2 }), "that of the runs and of its legend alone");
        Assert.That(svg.LegendMarks.Count(mark => mark.Stroke == Grey), Is.EqualTo(1));
        var legend = string.Join(' ', svg.Texts.Where(text => text.Anchor == "start").Select(text => text.Text));
        Assert.That(legend, Is.EqualTo("these runs ML.ENERGY: L-8B, 2 × H100, chat grey: published by ML.ENERGY, GPUs "
            + "alone, steady state of continuous batching"));
    }

    [Test]
    public void TheyAreInNoFrontAndInNoFigureThatTheRunsDoNotMake()
    {
        var (_, folder) = Report(Header + Rows);

        foreach (var name in new[] { "pareto-latency", "pareto-tpot" })
        {
            FigureFile front = new(Path.Combine(folder, $"{name}.svg"));
            Assert.That(front.Marks.Concat(front.LegendMarks).Select(mark => mark.Stroke), Has.None.EqualTo(Grey));
        }
        Assert.That(File.Exists(Path.Combine(folder, "watts-by-shards.svg")), Is.False, "all runs have one shard");
        Assert.That(File.ReadAllText(_scratch["page.html"]), Does.Contain("figures that others published, not of these runs"));
    }

    [Test]
    public void ARowThatContradictsItselfIsNotDrawn()
    {
        var (log, folder) = Report(Header + Rows + "L-8B,chat,31,300,600,90,0.4,H100,128,6.3,2,2000,2\n"
            + "L-8B,chat,31,300,600,99,0.3,H100,256,6.3,2,2000,2\n");

        Assert.That(log, Does.Contain("published.csv:4: its power ÷ throughput is 0.3 J/token, and it says 0.4; it is not drawn")
            .And.Contain("published.csv:5: its J/token × mean length is 90 J/request, and it says 99; it is not drawn"));
        Assert.That(new FigureFile(Path.Combine(folder, "watts-by-concurrency.svg")).Marks.Count(mark => mark.Stroke == Grey),
            Is.EqualTo(2));
    }

    [TestCase("model,task\nx,y\n", "gpu_model")]
    [TestCase(Header, "has no rows")]
    [TestCase(Header + "L,chat,7.9,300,high,150,0.5,H100,8,4.5,2,1000,2\n", "avg_power_watts holds 'high'")]
    public void AFileOfAnotherKindIsRefusedByName(string csv, string expected) =>
        Assert.That(() => Report(csv),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains(expected).And.Message.Contains("published.csv"));

    [Test]
    public void TheLeaderboardsOwnRowsAreReadAndAgreeWithThemselves()
    {
        var left = new List<string>();
        var published = PublishedFigures.Read([SharedData.Path("data", "reference", "ml-energy-v3-llama-3.1.csv")], left.Add);

        Assert.That((published.Rows.Count, left), Is.EqualTo((42, Array.Empty<string>())));
        var series = published.Of(row => row.MostRequests, row => row.JoulesPerToken);
        Assert.That(series.Select(one => one.Label), Is.EqualTo(new[]
        {
            "ML.ENERGY: Llama-3.1-70B-Instruct, 2 × B200, lm-arena-chat", "ML.ENERGY: Llama-3.1-70B-Instruct, 4 × H100, lm-arena-chat",
            "ML.ENERGY: Llama-3.1-8B-Instruct, 1 × B200, lm-arena-chat", "ML.ENERGY: Llama-3.1-8B-Instruct, 1 × H100, lm-arena-chat",
        }));
        Assert.That(series[2].Points[0], Is.EqualTo(new ReferencePoint(8, 0.3905238905034637)), "its first row");
    }
}
