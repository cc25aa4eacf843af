using System.Security.Cryptography;
using Harness.Reports.Publishing;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Reports.Publishing;

/// <summary>The Markdown table, and which files there are.</summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FilesTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void TheMarkdownTableHasTheFiguresAndTheReasons()
    {
        new SyntheticRun("one") { Model = "a|b*c" }.Write(_scratch);
        new SyntheticRun("two") { TensorParallel = 2, DeviceWatts = [90, 120], InvalidReasons = "sample_gap" }.Write(_scratch);
        new SyntheticRun("x") { Status = RunStatus.Incomplete }.Write(_scratch);
        var output = new StringWriter();
        new Report(output, TextWriter.Null).Write([_scratch.Path], new(null, "-", null));
        var lines = output.ToString().Split('\n');
        Assert.That(lines[0], Is.EqualTo("| run | model | device | data | tp × pp | batch | max. new tokens | output tokens/s | TTFT p50 "
            + "(s) | TPOT p50 (s) | latency p50 (s) | latency p99 (s) | power (W) | energy (J) | J/token | J/response | accuracy (%) | "
            + "energy valid |"));
        Assert.That(lines[1].Count(c => c == '|'), Is.EqualTo(lines[0].Count(c => c == '|')));
        Assert.That(lines[2],
            Does.StartWith(@"| one | a\|b\*c | H100 | gsm8k | 1 × 1 | 8 | 128 | 40.00 |").And.EndsWith(
            "| 100.0 | 2,000 | 2.500 | 125.0 | 75.00 | yes |"));
        Assert.That(lines[3], Does.EndWith(@"| 210.0 | 4,200 | 5.250 | 262.5 | 75.00 | no: sample\_gap |"));
        Assert.That(lines[4], Does.StartWith("| x | llama-7b |").And.EndsWith("| no (incomplete) |"));
        Assert.That(lines, Does.Contain("- `sample_gap`: two samples lie more than 5 intervals apart"));
    }

    /// <summary>Latencies are 3.125, 4.25 and so on to 20 s: eight of sixteen are within 11 s.</summary>
    [Test]
    public void TheMarkdownTableHasGoodputWhereBoundsAreGiven()
    {
        new SyntheticRun("one").Write(_scratch);
        new SyntheticRun("two") { Seconds = 40, Slo = "ttft=1s" }.Write(_scratch);
        var output = new StringWriter();
        new Report(output, TextWriter.Null) { Slo = Slo.Parse("latency=11s", "--slo") }.Write([_scratch.Path], new(null, "-", null));
        var lines = output.ToString().Split('\n');
        Assert.That(lines[0], Does.Contain("| J/response | SLO | goodput (requests/s) | J/good request | good requests (%) | accuracy"));
        Assert.That(lines[2], Does.Contain("| 125.0 | latency=11s | 0.4000 | 250.0 | 50.00 |"));
        Assert.That(lines[3], Does.Contain("| 250.0 | latency=11s | 0.07500 | 1,333 | 18.75 |"), "three within 11 s of 40");
    }

    [Test]
    public void TheMarkdownTableOfPowerLimits()
    {
        new SyntheticRun("r-250W") { PowerLimitWatts = 250, Seconds = 100, DeviceWatts = [240] }.Write(_scratch);
        new SyntheticRun("r-175W") { PowerLimitWatts = 175, Seconds = 106.7, DeviceWatts = [240 * 0.7679 / 1.067] }.Write(_scratch);
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, _scratch["t", "table.md"], null));
        Assert.That(File.ReadAllLines(_scratch["t", "table.md"]),
            Does.Contain("| 175.0 | 106.7 | 18,430 | +6.70 % | −23.21 % | −6.28 % | −6.28 % | yes |"));
    }

    [Test]
    public void EveryFigureWithDataIsAFile()
    {
        for (var shards = 1; shards <= 4; shards *= 2)
            new SyntheticRun($"tp{shards}-250W")
            {
                TensorParallel = shards,
                DeviceWatts = [.. Enumerable.Repeat(100.0, shards)],
                PowerLimitWatts = 250
            }.Write(_scratch);
        new SyntheticRun("tp1-175W") { PowerLimitWatts = 175 }.Write(_scratch);
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        string[] expected =
        [
            "watts-by-shards", "joules-per-token-by-shards", "joules-per-response-by-shards", "tokens-per-second-by-shards", "power-caps",
                "pareto-latency", "pareto-tpot", "goodput-ttft", "goodput-tpot", "goodput-itl", "goodput-latency",
            "ttft-distribution", "tpot-distribution", "itl-distribution", "latency-distribution",
                "power-tp1-175W", "power-tp1-250W", "power-tp2-250W",
                "power-tp4-250W",
        ];
        foreach (var kind in new[] { "svg", "png" })
            Assert.That(Directory.GetFiles(_scratch["figures"], $"*.{kind}").Select(Path.GetFileNameWithoutExtension),
                Is.EquivalentTo(expected));
        foreach (var file in Directory.GetFiles(_scratch["figures"], "*.svg"))
            Assert.That(new FigureFile(file) is var figure && (figure.Marks.Any() || figure.Lines.Any()), file);
    }

    [TestCase("Page/lib", "*.js", 2)]
    [TestCase("Font", "*.ttf", 1)]
    public void WhatIsOfOthersIsAsPublishedAndItsLicenceLiesBesideIt(string folder, string pattern, int count)
    {
        var path = Path.Combine(SharedData.RepositoryRoot, "src", "Reports", "Publishing", folder);
        var table = File.ReadAllText(Path.Combine(path, "README.md"));
        var files = Directory.GetFiles(path, pattern);
        Assert.That(files, Has.Length.EqualTo(count));
        foreach (var file in files)
        {
            Assert.That(table, Does.Contain(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))), file);
            Assert.That(File.Exists(Path.Combine(path, $"{Path.GetFileName(file).Split('.', '_')[0]}.LICENSE")), file);
        }
    }
}
