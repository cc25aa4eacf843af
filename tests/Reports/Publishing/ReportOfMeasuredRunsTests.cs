using Harness.Runs;
using Harness.Runs.Records;
using Harness.Tests.Energy;

namespace Harness.Tests.Reports.Publishing;

/// <summary>
/// The whole way: the program runs the demo model over 1, 2 and 4 ranks while the fake NVML library draws scripted watts on
/// each rank's device, and then reports. The CPU computes, so these runs are never valid: device_missing.
/// </summary>
[TestFixture, Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ReportOfMeasuredRunsTests
{
    private static readonly double[] s_watts = [100, 120, 140, 160];
    private static readonly int[] s_shards = [1, 2, 4];

    private ScratchDirectory _scratch = null!;
    private Page _page = null!;

    [OneTimeSetUp]
    public void MeasureAndReport()
    {
        _scratch = new();
        using var fake = new FakeNvml([.. s_watts.SelectMany((watts, i) => new[]
        {
            $"device {i} uuid GPU-{i}", $"device {i} name Fake H100", FormattableString.Invariant($"device {i} curve constant {watts}"),
                $"device {i} update 0.02",
        })]);
        foreach (var shards in s_shards)
        {
            using var run = HarnessProcess.Start(_scratch.Path,
                ["run", "--name", $"tp{shards}", "--tp", $"{shards}", "--limit", "24", "--meter", "nvml", "--idle-baseline", "0.5s",
                "--ignore-eos", "--max-new-tokens", "100"], ("HARNESS_NVML_LIBRARY", fake.Library));
            Assert.That(run.Wait() is { ExitCode: 0 }, $"tp {shards}");
        }
        var report = HarnessProcess.Run(_scratch.Path, "report", "results", "--out", "report.html", "--markdown", "table.md", "--figures",
            "figures");
        Assert.That(report.ExitCode, Is.Zero, report.Error);
        Assert.That(report.Error, Does.Contain("report: 3 runs, 0 incomplete, 3 without valid energy; page report.html; table table.md;"));
        _page = new(File.ReadAllText(_scratch["report.html"]));
    }

    [OneTimeTearDown]
    public void TearDown() => _scratch?.Dispose();

    [Test]
    public void WattsRiseWithShardsAsScripted()
    {
        var line = _page.Lines("watts-by-shards")[""];
        Assert.That(line.Select(p => p.X), Is.EqualTo(new[] { 1.0, 2, 4 }));
        foreach (var (shards, watts) in line) Assert.That(watts, Is.EqualTo(s_watts.Take((int)shards).Sum()).Within(2).Percent);
    }

    [Test]
    public void JoulesPerTokenAreScriptedWattsTimesSecondsByTokens()
    {
        foreach (var (point, shards) in _page.Lines("joules-per-token-by-shards")[""].Zip(s_shards))
        {
            var run = new RunReader(_scratch["results", $"tp{shards}"]);
            var tokens = run.Prompts().Sum(p => p.OutputTokens);
            Assert.That(tokens, Is.EqualTo(24 * 100));
            Assert.That(point.Y, Is.EqualTo(s_watts.Take(shards).Sum() * run.Summary().DurationSeconds!.Value / tokens).Within(2).Percent);
        }
        foreach (var (point, shards) in _page.Lines("joules-per-response-by-shards")[""].Zip(s_shards))
            Assert.That(point.Y / _page.Lines("joules-per-token-by-shards")[""].Single(p => p.X == shards).Y, Is.EqualTo(100).Within(1e-9),
                "100 tokens a response");
    }

    [Test]
    public void PowerOverTimeShowsEachDevicesScript()
    {
        var trace = _page.Run("tp4")["power"]![0]!;
        foreach (var (series, watts) in trace["series"]!.AsArray().Zip(s_watts))
            Assert.That(series!["mean"]!.AsArray().Select(v => (double)v!), Is.All.EqualTo(watts).Within(2).Percent,
                (string?)series["device"]);
        Assert.That(trace["windows"]!.AsArray().Select(w => (string)w!["kind"]!),
            Is.EqualTo(new[] { "load", "warmup", "idle", "measured" }));
    }

    [Test]
    public void CategoriesOfTheDemoAddUpToTheRun()
    {
        var categories = _page.Run("tp2")["categories"]!.AsArray();
        Assert.That(categories.Select(c => (string?)c!["category"]), Is.EqualTo(new[] { "alpaca", "gsm8k" }));
        Assert.That(categories.Sum(c => (int)c!["completed"]!), Is.EqualTo(24));
        var prompts = new RunReader(_scratch["results", "tp2"]).Prompts().Sum(p => p.EnergyJoules);
        Assert.That(categories.Sum(c => (double)c!["energy_j"]!), Is.EqualTo(prompts).Within(1e-9 * prompts!.Value));
    }

    [Test]
    public void TheFilesAreThere()
    {
        Assert.That(File.ReadAllLines(_scratch["table.md"]).Count(l => l.StartsWith("| tp", StringComparison.Ordinal)), Is.EqualTo(3));
        string[] figures = ["watts-by-shards.svg", "watts-by-shards.png", "power-tp4.svg", "power-tp4.png"];
        Assert.That(figures, Is.SubsetOf(Directory.GetFiles(_scratch["figures"]).Select(Path.GetFileName)));
    }

    [TestCase("report", "Required argument 'DIR' missing")]
    [TestCase("report results", "nothing to write; add --out FILE.html")]
    [TestCase("report nowhere --out r.html", "no run found below nowhere")]
    public void MistakesAreOneLine(string command, string message)
    {
        var result = HarnessProcess.Run(_scratch.Path, command.Split(' '));
        Assert.That(result.ExitCode, Is.EqualTo(1));
        Assert.That(result.Error.TrimEnd().Split('\n')[^1], Does.Contain(message));
        Assert.That(result.Error, Does.Not.Contain("   at "));
    }
}
