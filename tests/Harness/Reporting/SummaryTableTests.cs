using Harness.Reporting;
using Harness.Runs;
using Harness.Runs.Records;
using Spectre.Console;

namespace Harness.Tests.Reporting;

[TestFixture]
public sealed class SummaryTableTests
{
    private static string[] Printed(SummaryRecord run, string directory, params CategoryRecord[] categories)
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No });
        console.Profile.Width = 80;
        SummaryTable.Write(console, run, categories, directory);
        TestContext.Out.WriteLine(output);
        return output.ToString().ReplaceLineEndings("\n").Split('\n');
    }

    [Test]
    public void TheFiguresThatMatterInEightyColumns()
    {
        var directory = "/shared/" + new string('d', 100) + "/run";
        var lines = Printed(new SummaryRecord
        {
            RunId = "20251121T015600Z-Llama-2-7b-hf-3fa9c1",
            Status = RunStatus.Complete,
            Model = "Llama-2-7b-hf",
            ParametersBillions = 6.738,
            Dtype = "bf16",
            Backend = "torch",
            Gpu = "Tesla V100-SXM2-32GB",
            Ranks = 8,
            Nodes = 2,
            TensorParallel = 4,
            PipelineParallel = 2,
            BatchSize = 64,
            Dataset = "gsm8k",
            Completed = 1318,
            Failed = 1,
            DurationSeconds = 812.25,
            TotalOutputTokens = 120003,
            TotalOutputWords = 91234,
            TokensPerSecond = 147.7,
            WordsPerSecond = 112.3,
            ResponsesPerSecond = 1.623,
            Ttft = new() { Mean = 0.5121, P99 = 1.25 },
            Latency = new() { P50 = 12.34567 },
            Energy = new() { Total = 1234567.8, PerOutputToken = 10.28 },
            Accuracy = 0.1463,
            EnergySource = "nvml_counter",
            InvalidReasons = "sample_gap;clock_offset",
        }, directory);
        var text = string.Join('\n', lines);
        foreach (var figure in new[]
        {
            "1,318 completed, 1 failed (gsm8k, batch 64)", "8 on 2 nodes, tensor parallel 4, pipeline stages 2",
                "120,003 tokens, 91,234 words in 812.2 s",
            "147.7 tokens/s", "0.5121", "1.250", "12.35", "1,234,568 J, 10.28 J/token", "14.63 %",
                "not for energy: sample_gap, clock_offset; times and tokens stand",
        })
            Assert.That(text, Does.Contain(figure));
        Assert.That(lines, Has.Some.EqualTo($"files: {directory}"));
        Assert.That(lines.Where(l => !l.StartsWith("files:")).Max(l => l.Length), Is.LessThanOrEqualTo(80));
    }

    [Test]
    public void TailsAndGoodputStandInTheTable()
    {
        SummaryRecord run = new()
        {
            RunId = "r",
            Status = RunStatus.Complete,
            Completed = 90,
            Failed = 6,
            Itl = new() { Mean = 0.0123, P95 = 0.0345, P99 = 0.0567 },
            Goodput = new() { Slo = "ttft=200ms,itl=50ms", Good = 24, Share = 0.25, PerSecond = 3.2, PerGoodJoules = 41.5 },
        };
        var lines = Printed(run, "r");
        Assert.That(lines, Has.Some.Match("^ +inter-token latency +0.01230 +– +– +0.03450 +0.05670 *$"));
        Assert.That(string.Join(' ', string.Join('\n', lines).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)), Does.Contain(
            "goodput ttft=200ms,itl=50ms: 24 of 96 requests good (25.00 %), 3.200 good requests/s, 41.50 J/good request"));
        Assert.That(string.Join('\n', Printed(run with { Goodput = new() { Slo = "ttft=1ms", Good = 0, Share = 0 } }, "r")),
            Does.Contain("ttft=1ms: none of 96 requests is good"));
    }

    [Test]
    public void CoresThatWereNotThereAreNamed()
    {
        string Cores(double? share) => string.Join(' ', string.Join('\n', Printed(new SummaryRecord
        {
            RunId = "r",
            Status = RunStatus.Complete,
            CoreWaitShare = share,
        }, "r")).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.That(Cores(0.345), Does.Contain(
            "cores too few: threads that were ready to run waited 34.50 % of their time for one; others use them, or ranks and threads are more "
            + "than they are"));
        Assert.That(Cores(0.14) + Cores(null), Does.Not.Contain("cores"));
    }

    [Test]
    public void UnderContinuousBatchingThereIsNoBatch()
    {
        var lines = Printed(new SummaryRecord
        {
            RunId = "r",
            Status = RunStatus.Complete,
            Dataset = "gsm8k",
            BatchSize = 8,
            Concurrency = 16
        }, "r");
        Assert.That(string.Join('\n', lines), Does.Contain("(gsm8k, concurrency 16)").And.Not.Contain("batch"));
    }

    /// <summary>Brackets are markup to the library that draws the table; a category is any text.</summary>
    [Test]
    public void CategoriesOfAnyName()
    {
        CategoryRecord Category(string name) =>
            new()
            {
                RunId = "r",
                Category = name,
                Completed = 1234,
                TotalOutputTokens = 123_456,
                EnergyPerOutputTokenJoules = 1234.5,
                EnergyPerResponseJoules = 123_456,
                Accuracy = 0.9876
            };
        var lines = Printed(new SummaryRecord { RunId = "r", Status = RunStatus.Complete }, "results/r", Category("[sql]"),
            Category("[/]"), Category(new string('c', 100)));
        Assert.That(lines, Has.Some.Contains("[sql]").And.Some.Contains("[/]").And.Some.Contains("98.76 %"));
        Assert.That(lines.Max(line => line.Length), Is.LessThanOrEqualTo(80));
    }

    [Test]
    public void WithoutAMeterItSaysSo()
    {
        var text = string.Join('\n',
            Printed(new SummaryRecord { RunId = "r", Status = RunStatus.Interrupted, InvalidReasons = "no_meter" }, "results/r"));
        Assert.That(text, Does.Contain("r: interrupted").And.Contain("not measured").And.Contain("not for energy: no_meter"));
    }
}
