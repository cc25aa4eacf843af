using System.Globalization;
using System.Security.Cryptography;
using System.Xml.Linq;
using Harness.Publishing;
using Harness.Records;

namespace Harness.Tests.Publishing;

/// <summary>The Markdown table and the SVG files.</summary>
[TestFixture, Parallelizable(ParallelScope.Children), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FilesTests : IDisposable
{
    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";

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
        Assert.That(lines[0], Is.EqualTo("| run | model | device | data | tp × pp | batch | max. new tokens | output tokens/s | TTFT p50 (s) | TPOT p50 (s) | latency p50 (s) | power (W) | energy (J) | J/token | J/response | accuracy (%) | energy valid |"));
        Assert.That(lines[1].Count(c => c == '|'), Is.EqualTo(lines[0].Count(c => c == '|')));
        Assert.That(lines[2], Does.StartWith(@"| one | a\|b\*c | H100 | gsm8k | 1 × 1 | 8 | 128 | 40.00 |").And.EndsWith("| 100.0 | 2,000 | 2.500 | 125.0 | 75.00 | yes |"));
        Assert.That(lines[3], Does.EndWith(@"| 210.0 | 4,200 | 5.250 | 262.5 | 75.00 | no: sample\_gap |"));
        Assert.That(lines[4], Does.StartWith("| x | llama-7b |").And.EndsWith("| no (incomplete) |"));
        Assert.That(lines, Does.Contain("- `sample_gap`: two samples lie more than 5 intervals apart"));
    }

    [Test]
    public void TheMarkdownTableOfPowerLimits()
    {
        new SyntheticRun("r-250W") { PowerLimitWatts = 250, Seconds = 100, DeviceWatts = [240] }.Write(_scratch);
        new SyntheticRun("r-175W") { PowerLimitWatts = 175, Seconds = 106.7, DeviceWatts = [240 * 0.7679 / 1.067] }.Write(_scratch);
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, _scratch["t", "table.md"], null));
        Assert.That(File.ReadAllLines(_scratch["t", "table.md"]), Does.Contain("| 175.0 | 106.7 | 18,430 | +6.70 % | −23.21 % | −6.28 % | −6.28 % | yes |"));
    }

    /// <summary>Each mark, measured against the ticks of both axes as a reader of the paper would, gives the run's numbers.</summary>
    [Test]
    public void MarksOfASvgStandWhereTheirNumbersAre()
    {
        foreach (var (shards, watts) in new[] { (1, 100.0), (2, 210), (8, 460) })
            new SyntheticRun($"tp{shards}") { TensorParallel = shards, DeviceWatts = [watts], InvalidReasons = shards == 2 ? "mig" : null }.Write(_scratch);
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        var svg = XDocument.Load(_scratch["figures", "watts-by-shards.svg"]).Root!;
        var texts = svg.Elements(Svg + "text").ToList();
        var yTicks = texts.Where(t => (string?)t.Attribute("text-anchor") == "end").Select(t => (Value: Number(t.Value), At: (double)t.Attribute("y")! - 8 * 0.35)).ToList();
        var xTicks = texts.Where(t => (string?)t.Attribute("text-anchor") == "middle" && double.TryParse(t.Value, out _)).ToDictionary(t => Number(t.Value), t => (double)t.Attribute("x")!);
        var marks = svg.Descendants(Svg + "path").Select(path => (At: ((string)path.Attribute("transform")!).Split('(', ' ', ')').Skip(1).Take(2).Select(Number).ToArray(), Fill: (string?)path.Attribute("fill"))).ToList();
        double Watts(double y) => yTicks[0].Value + (y - yTicks[0].At) / (yTicks[^1].At - yTicks[0].At) * (yTicks[^1].Value - yTicks[0].Value);
        Assert.That(xTicks.Keys, Is.EqualTo(new[] { 1.0, 2, 8 }));
        Assert.That(marks.Select(m => m.At[0]), Is.EqualTo(xTicks.Values).Within(0.02));
        Assert.That(xTicks[2] - xTicks[1], Is.EqualTo((xTicks[8] - xTicks[2]) / 2).Within(0.02), "a doubling is as wide everywhere");
        Assert.That(marks.Select(m => Watts(m.At[1])), Is.EqualTo(new[] { 100.0, 210, 460 }).Within(0.5));
        Assert.That(marks.Select(m => m.Fill == "white"), Is.EqualTo(new[] { false, true, false }), "the invalid run is hollow");
        Assert.That(texts.Select(t => t.Value), Does.Contain("power (W)").And.Contain("shards (tensor × pipeline)"));
        Assert.That((string?)svg.Attribute("width"), Is.EqualTo("245pt"), "one column of a two-column paper");
    }

    [Test]
    public void OfVeryManyLinesTheFirstAreDrawnAndTheOthersCounted()
    {
        Figure figure = new("f", "Many", "x", "y", LogX: true, [.. Enumerable.Range(0, 40).Select(i => new FigureSeries($"line {i}", [new(0, 1, i), new(0, 2, i)]))], null);
        var svg = SvgFigure.Of(figure, _ => true).Root!;
        Assert.That(svg.Descendants(Svg + "polyline").Count(), Is.EqualTo(14));
        Assert.That(svg.Elements(Svg + "text").Select(t => t.Value), Does.Contain("and 26 lines more, not drawn").And.Contain("line 13").And.Not.Contain("line 14"));
    }

    [Test]
    public void EveryFigureWithDataIsAFile()
    {
        for (var shards = 1; shards <= 4; shards *= 2)
            new SyntheticRun($"tp{shards}-250W") { TensorParallel = shards, DeviceWatts = [.. Enumerable.Repeat(100.0, shards)], PowerLimitWatts = 250 }.Write(_scratch);
        new SyntheticRun("tp1-175W") { PowerLimitWatts = 175 }.Write(_scratch);
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        Assert.That(Directory.GetFiles(_scratch["figures"]).Select(Path.GetFileNameWithoutExtension), Is.EquivalentTo(new[]
        {
            "watts-by-shards", "joules-per-token-by-shards", "joules-per-response-by-shards", "tokens-per-second-by-shards", "power-caps", "pareto-latency", "pareto-tpot",
            "ttft-distribution", "tpot-distribution", "latency-distribution", "power-tp1-175W", "power-tp1-250W", "power-tp2-250W", "power-tp4-250W",
        }));
        foreach (var file in Directory.GetFiles(_scratch["figures"])) Assert.That(XDocument.Load(file).Descendants().Any(e => e.Name.LocalName is "path" or "polyline"), file);
    }

    [Test]
    public void TheLibrariesAreTheirPublishersAndTheirLicencesLieBesideThem()
    {
        var folder = Path.Combine(SharedData.RepositoryRoot, "src", "Harness", "Publishing", "Page", "lib");
        var table = File.ReadAllText(Path.Combine(folder, "README.md"));
        var scripts = Directory.GetFiles(folder, "*.js");
        Assert.That(scripts, Has.Length.EqualTo(2));
        foreach (var script in scripts)
        {
            Assert.That(table, Does.Contain(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(script)))), script);
            Assert.That(File.Exists(Path.Combine(folder, $"{Path.GetFileName(script).Split('.')[0]}.LICENSE")), script);
        }
    }

    private static double Number(string text) => double.Parse(text.Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
}
