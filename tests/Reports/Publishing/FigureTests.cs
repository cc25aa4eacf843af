using System.Buffers.Binary;
using Harness.Reports.Publishing;
using SkiaSharp;

namespace Harness.Tests.Reports.Publishing;

/// <summary>What a reader of a paper sees in a figure: SVG files measured against their own axes, PNG files against the SVG.</summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class FigureTests : IDisposable
{
    // Okabe and Ito's #0072B2 and #D55E00.
    private const string Blue = "rgb(0,114,178)", Vermilion = "rgb(213,94,0)", White = "rgb(255,255,255)";
    private const double PixelsPerUnit = 600 / 96.0;

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>A run of tp 2 is not valid for energy.</summary>
    [Test]
    public void MarksStandWhereTheirNumbersAre()
    {
        foreach (var (shards, watts) in new[] { (1, 100.0), (2, 210), (8, 460) })
        {
            var reasons = shards == 2 ? "mig" : null;
            new SyntheticRun($"tp{shards}") { TensorParallel = shards, DeviceWatts = [watts], InvalidReasons = reasons }.Write(_scratch);
        }
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        FigureFile svg = new(_scratch["figures", "watts-by-shards.svg"]);
        Assert.That(svg.XTicks.Select(t => t.Value), Is.EqualTo(new[] { 1.0, 2, 8 }));
        var marks = svg.Marks.OrderBy(m => m.X).ToList();
        Assert.That(marks.Select(m => m.X), Is.EqualTo(svg.XTicks.Select(t => t.At)).Within(0.01));
        var (one, two, eight) = (svg.XTicks[0].At, svg.XTicks[1].At, svg.XTicks[2].At);
        Assert.That(two - one, Is.EqualTo((eight - two) / 2).Within(0.01), "a doubling is as wide everywhere");
        Assert.That(marks.Select(m => svg.Y(m.Y)), Is.EqualTo(new[] { 100.0, 210, 460 }).Within(0.1));
        Assert.That(svg.YTicks[0].Value, Is.Zero);
        Assert.That(marks.Select(m => m.Fill), Is.EqualTo(new[] { Blue, White, Blue }), "the invalid run is hollow");
        Assert.That(marks.Select(m => (m.Shape, m.Stroke)), Is.All.EqualTo(("ellipse", Blue)));
        Assert.That(svg.Lines.Single().Points.Select(p => svg.Y(p.Y)), Is.EqualTo(new[] { 100.0, 210, 460 }).Within(0.1));
        string[] texts = ["Mean power by number of shards", "power (W)", "shards (tensor × pipeline)", "hollow: energy not valid"];
        Assert.That(texts, Is.SubsetOf(svg.Texts.Select(t => t.Text)));
    }

    /// <summary>A run's last request to be good makes 125 J of each, at 20 s; its first has all 2,000 J, at 3.125 s.</summary>
    [Test]
    public void JoulesOfGoodRequestsSpanDecades()
    {
        new SyntheticRun("one").Write(_scratch);
        new SyntheticRun("other") { Seconds = 200, DeviceWatts = [1], InvalidReasons = "mig" }.Write(_scratch);
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        FigureFile svg = new(_scratch["figures", "goodput-latency.svg"]);
        foreach (var ticks in new[] { svg.XTicks, svg.YTicks })
        {
            Assert.That(ticks.Select(tick => tick.Value / Math.Pow(10, Math.Floor(Math.Log10(tick.Value) + 1e-9))),
                Is.All.EqualTo(1).Within(1e-9).Or.EqualTo(2).Within(1e-9).Or.EqualTo(3).Within(1e-9).Or.EqualTo(5).Within(1e-9));
            var first = ticks[0];
            var perDecade = (ticks[^1].At - first.At) / Math.Log10(ticks[^1].Value / first.Value);
            Assert.That(ticks.Select(tick => tick.At - first.At),
                Is.EqualTo(ticks.Select(tick => perDecade * Math.Log10(tick.Value / first.Value))).Within(0.05));
        }
        double Value(IReadOnlyList<(double Value, double At)> ticks, double at) => ticks[0].Value
            * Math.Pow(ticks[^1].Value / ticks[0].Value, (at - ticks[0].At) / (ticks[^1].At - ticks[0].At));
        var points = svg.Lines.First().Points;
        Assert.That(points.Select(point => Value(svg.YTicks, point.Y)).Max(),
            Is.EqualTo(2000).Within(5));
        Assert.That(points.Select(point => Value(svg.XTicks, point.X)).Min(),
            Is.EqualTo(3.125).Within(0.02));
        Assert.That(svg.Texts.Select(text => text.Text), Does.Contain("Pareto front"));
    }

    /// <summary>Two runs of one layout, of which one is not valid, beside others: a bar is the mean of the valid ones.</summary>
    [Test]
    public void PartsOfJoulesStandUponOneAnother()
    {
        foreach (var (name, tensor, stages, watts, reasons, phases) in new (string, int, int, double, string?, double[])[]
        {
            ("a", 1, 1, 100, null, [0.5, 0.4, 0, 0, 0.1]), ("b", 2, 1, 160, null, [0.3, 0.3, 0.3, 0, 0.1]),
            ("c", 2, 1, 900, "mig", [1, 0, 0, 0, 0]), ("d", 2, 2, 300, "mig", [0.2, 0.2, 0.2, 0.3, 0.1]),
        })
            new SyntheticRun(name)
            {
                TensorParallel = tensor,
                PipelineParallel = stages,
                DeviceWatts = [watts],
                Phases = phases,
                InvalidReasons = reasons,
            }.Write(_scratch);
        new SyntheticRun("e") { TensorParallel = 8 }.Write(_scratch);       // does not tell
        new Report(TextWriter.Null, TextWriter.Null).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        FigureFile svg = new(_scratch["figures", "phases-by-shards.svg"]);
        // 20 s for 800 tokens: 100 W are 2.5 J a token
        (double[] Ends, bool IsValid)[] expected =
            [([0, 1.25, 2.25, 2.5], true), ([0, 1.2, 2.4, 3.6, 4], true), ([0, 1.5, 3, 4.5, 6.75, 7.5], false)];
        var bars = svg.Bars.Where(part => part.High > part.Low + 0.01).GroupBy(part => Math.Round(part.X)).OrderBy(bar => bar.Key).ToList();
        Assert.That(bars, Has.Count.EqualTo(3));
        foreach (var (bar, (ends, isValid)) in bars.Zip(expected))
        {
            var parts = bar.OrderBy(part => part.Low).ToList();
            Assert.That(parts.Select(part => part.Low).Append(parts[^1].High), Is.EqualTo(ends).Within(0.01));
            Assert.That(parts.Select(part => part.Low).Skip(1), Is.EqualTo(parts.SkipLast(1).Select(part => part.High)).Within(0.01));
            Assert.That(parts.Select(part => part.Fill == White), Is.All.EqualTo(!isValid), "without valid energy hollow");
        }
        string[] texts = ["1 × 1", "2 × 1", "2 × 2", "tensor × pipeline degree", "energy (J/token)", "prefill", "decode", "communication",
            "waiting", "other", "hollow: energy not valid"];
        Assert.That(texts, Is.SubsetOf(svg.Texts.Select(t => t.Text)));
    }

    [Test]
    public void SizesAreThoseOfOneColumn()
    {
        var svg = Svg(Sweep(2));
        Assert.That(svg.Size.Width, Is.EqualTo(3.4 * 96), "3.4 in at 96 a inch");
        Assert.That(svg.Texts.Select(t => t.Size), Is.All.EqualTo(8 * 96 / 72.0).Within(0.001), "8 points");
        Assert.That(svg.Texts.Select(t => t.X), Is.All.InRange(0, svg.Size.Width));
        Assert.That(svg.Texts.Select(t => t.Y), Is.All.InRange(0, svg.Size.Height));
    }

    /// <summary>Seven colours in solid lines, then the same in dashes; each series once among the axes and once in the legend.</summary>
    [Test]
    public void LinesDifferInColoursMarksAndDashes()
    {
        var svg = Svg(Sweep(9));
        Assert.That(svg.Lines.Count(line => line.Dashes == null), Is.EqualTo(2 * 7));
        Assert.That(svg.Lines.Count(line => line.Dashes != null), Is.EqualTo(2 * 2));
        string[] shapes = ["ellipse", "rect", "triangle", "diamond"];
        Assert.That(svg.LegendMarks.Select(m => m.Shape), Is.EqualTo(Enumerable.Range(0, 9).Select(i => shapes[i % 4])));
        Assert.That(svg.LegendMarks.Select(m => m.Stroke).Distinct().Count(), Is.EqualTo(7));
        Assert.That(svg.LegendMarks.Select(m => m.Y), Is.Ordered.Ascending);
        var legend = svg.Texts.Where(t => t.Anchor == "start").ToList();
        Assert.That(legend.Select(t => t.Text), Is.EqualTo(Enumerable.Range(0, 9).Select(i => $"line {i}")));
        foreach (var (text, mark) in legend.Zip(svg.LegendMarks))
            Assert.That(mark.Y, Is.EqualTo(text.Y).Within(text.Size / 2), $"{text.Text}'s mark is beside it");
    }

    [Test]
    public void CurvesHaveNoMarksAndDifferInDashes()
    {
        FigureSeries Curve(int i) => new($"GPU-{i}", [new(0, 0, i), new(0, 0.001, 5), new(0, 10, 9)], SeriesStyle.Curve);
        var svg = Svg(new("f", "Curves", "time (s)", "power (W)", LogX: false, [Curve(0), Curve(1), Curve(2)], null));
        Assert.That(svg.Marks, Is.Empty);
        Assert.That(svg.Lines.Select(line => line.Dashes).Distinct().Count(), Is.EqualTo(3));
        Assert.That(svg.Lines.Count(line => line.Points.Length == 3), Is.EqualTo(3), "no point is left out, however close");
    }

    [Test]
    public void OfVeryManyLinesTheFirstAreDrawnAndTheOthersCounted()
    {
        var svg = Svg(Sweep(40));
        Assert.That(svg.Lines.Count(), Is.EqualTo(2 * 14));
        var texts = svg.Texts.Select(t => t.Text);
        Assert.That(texts, Does.Contain("and 26 lines more, not drawn").And.Contain("line 13").And.Not.Contain("line 14"));
    }

    [Test]
    public void MarksWithoutALineAreSoInTheLegendToo()
    {
        FigureSeries front = new("front", [new(0, 1, 4), new(0, 2, 3)]);
        FigureSeries others = new("others", [new(2, 2, 5), new(3, 3, 0)], SeriesStyle.Marks);
        var svg = Svg(new("f", "Front", "x", "y", LogX: false, [front, others], null));
        Assert.That(svg.Marks.Count(m => m.Stroke == Vermilion), Is.EqualTo(2), "also the one on the axis");
        Assert.That(svg.Lines.Count(), Is.EqualTo(2), "the front's, and that of its legend");
    }

    [Test]
    public void StretchesAreShadedAndNamedWhereThereIsRoom()
    {
        FigureSeries curve = new("", [new(0, 0, 50), new(0, 100, 100)], SeriesStyle.Curve);
        var svg = Svg(new("f", "Power", "time (s)", "power (W)", LogX: false, [curve], null)
        {
            Bands = [("load", -50, 20), ("idle", 20, 21), ("measured-1", 21, 90)],
        });
        var stretches = svg.Stretches.ToList();
        Assert.That(stretches.Select(s => svg.X(s.Right)), Is.EqualTo(new[] { 20.0, 21, 90 }).Within(0.05));
        Assert.That(stretches[2].Left, Is.EqualTo(stretches[1].Right).Within(0.01));
        var texts = svg.Texts.Select(t => t.Text);
        Assert.That(texts, Does.Contain("load").And.Contain("measured-1").And.Not.Contain("idle"), "1 s has no room for a name");
        var (_, at, _, _, _) = svg.Texts.Single(t => t.Text == "load");
        Assert.That(at, Is.InRange(stretches[0].Left, stretches[0].Right), "in the middle of what is to be seen of it");
    }

    [Test]
    public void LongTextsAreBroken()
    {
        const double Letter = 0.5; // of its size, on average
        const string Title = "Power, llama-3.1-70b-instruct_gsm8k_batch64_tp8_pp4_max-new-tokens-1024_power-limit-250W-repeat-3";
        const string Label = "llama-3.1-70b-instruct, gsm8k, batch 64, tp 8 × pp 4, at most 1,024 tokens, 250 W, node-";
        string[] labels = [$"{Label}0", $"{Label}1"];
        FigureSeries Line(string label) => new(label, [new(0, 1, 1), new(0, 2, 2)]);
        var svg = Svg(new("f", Title, "x", "y", LogX: true, [.. labels.Select(Line)], null));
        var legend = svg.Texts.Where(t => t.Anchor == "start").ToList();
        Assert.That(legend.Select(t => t.X + Letter * t.Size * t.Text.Length), Is.All.LessThan(svg.Size.Width));
        Assert.That(string.Concat(legend.Select(t => t.Text)).Replace(" ", ""), Is.EqualTo(string.Concat(labels).Replace(" ", "")));
        var title = svg.Texts.Where(t => t.Text.Length > 10 && Title.Contains(t.Text, StringComparison.Ordinal)).ToList();
        Assert.That(string.Concat(title.Select(t => t.Text)), Is.EqualTo(Title));
        Assert.That(title.Select(t => t.X - Letter / 2 * t.Size * t.Text.Length), Is.All.Positive);
    }

    [Test]
    public void TicksThatWouldTouchAreLeftOut()
    {
        double[] values = [1, 100, 101, 102, 1000];
        var svg = Svg(new("f", "Close", "x", "y", LogX: true, [new("", [.. values.Select(x => new FigurePoint(0, x, x))])], null));
        Assert.That(svg.XTicks.Select(t => t.Value), Is.EqualTo(new[] { 1.0, 100, 1000 }));
    }

    [Test]
    public void OnePointAndNothingButZeroHaveAxesToo()
    {
        var svg = Svg(new("f", "One", "x", "y", LogX: true, [new("", [new(0, 4, 0)])], null));
        var mark = svg.Marks.Single();
        Assert.That(svg.Y(mark.Y), Is.EqualTo(0).Within(0.001));
        Assert.That(mark.X, Is.EqualTo(svg.XTicks.Single().At).Within(0.01));
    }

    [Test]
    public void NamesMayHoldAnyCharacter()
    {
        FigureSeries one = new("€ − λ", [new(0, 1, 1)]), other = new("]]>", [new(0, 2, 2)]);
        var svg = Svg(new("f", "a<b>&\"c\"\u0001\nd", "x", "y", LogX: false, [one, other], null));
        Assert.That(svg.Texts.Select(t => t.Text), Does.Contain("a<b>&\"c\"d").And.Contain("€ − λ").And.Contain("]]>"));
    }

    [Test]
    public void ThePngIsTheSamePictureAt600DotsPerInch()
    {
        var figure = Sweep(2) with { ShowsEnergy = true };
        var svg = Svg(figure);
        var png = FigureImage.Png(new(figure, IsValid));
        Assert.That(png[..8], Is.EqualTo(new byte[] { 0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10 }));
        Assert.That(BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), Is.EqualTo(3.4 * 600), "pixels across");
        var physical = png.AsSpan(png.AsSpan().IndexOf("pHYs"u8) + 4);
        Assert.That(BinaryPrimitives.ReadInt32BigEndian(physical), Is.EqualTo(600 / 0.0254).Within(1), "pixels per metre");
        using var picture = SKBitmap.Decode(png);
        Assert.That(picture.Height, Is.EqualTo(svg.Size.Height * PixelsPerUnit).Within(1));
        SKColor At(double x, double y) => picture.GetPixel((int)(x * PixelsPerUnit), (int)(y * PixelsPerUnit));
        // The last series' marks lie on top.
        foreach (var mark in svg.Marks.Where(m => m.Stroke == Vermilion).Concat(svg.LegendMarks))
            Assert.That(Css(At(mark.X, mark.Y)), Is.EqualTo(mark.Fill));
        Assert.That(svg.Marks.Select(m => m.Fill), Does.Contain(White).And.Contain(Vermilion), "hollow and filled");
        // Letters of 8 points: dark pixels in the box of each text, also on a machine without typefaces.
        foreach (var (text, x, y, anchor, size) in svg.Texts.Where(t => t.Anchor != "end" && t.Text != "y"))
        {
            var left = anchor == "middle" ? x - 0.2 * size * text.Length : x;
            var dark = 0;
            for (var column = left; column < left + 0.4 * size * text.Length; column += 1 / PixelsPerUnit)
                for (var row = y - 0.7 * size; row < y; row += 1 / PixelsPerUnit) dark += At(column, row).Red < 100 ? 1 : 0;
            Assert.That(dark, Is.GreaterThan(20 * text.Length), text);
        }
    }

    [Test]
    public void FilesAreTheSameEveryTime()
    {
        FigurePlot one = new(Sweep(5), IsValid), other = new(Sweep(5), IsValid);
        var (svg, png) = (FigureImage.Svg(one), FigureImage.Png(one));
        Assert.That(FigureImage.Png(other), Is.EqualTo(png));
        Assert.That(FigureImage.Svg(other), Is.EqualTo(svg), "whatever was written before");
        Assert.That(FigureImage.Png(one), Is.EqualTo(png));
    }

    /// <summary>A copy of the program without the native library.</summary>
    [Test]
    public void WithoutSkiaThereAreSvgFilesAndOneLineSaysWhy()
    {
        foreach (var shards in new[] { 1, 2 }) new SyntheticRun($"runs/tp{shards}") { TensorParallel = shards }.Write(_scratch);
        Directory.CreateDirectory(_scratch["program"]);
        foreach (var pattern in new[] { "*.dll", "harness.*" })
            foreach (var file in Directory.GetFiles(AppContext.BaseDirectory, pattern))
                File.Copy(file, _scratch["program", Path.GetFileName(file)], overwrite: true);
        using var process = HarnessProcess.StartFrom(_scratch["program"], _scratch.Path, ["report", "runs", "--figures", "figures"]);
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.EqualTo(1), result.Error);
        var lines = result.Error.Split('\n').Where(line => line.Contains("PNG")).ToList();
        Assert.That(lines, Has.Count.EqualTo(1), result.Error);
        const string Start = "report: no PNG files: Unable to load shared library 'libSkiaSharp'";
        Assert.That(lines[0], Does.StartWith(Start).And.EndWith("; the SVG files are complete"));
        Assert.That(result.Error, Does.Not.Contain("   at "));
        Assert.That(Directory.GetFiles(_scratch["figures"]).Select(Path.GetExtension), Is.All.EqualTo(".svg").And.Not.Empty);
    }

    /// <summary>Run 1 of a line is not valid.</summary>
    private static bool IsValid(int run) => run != 1;

    private static Figure Sweep(int lines)
    {
        FigureSeries Line(int i) => new($"line {i}", [new(0, 1, 2 * i + 1), new(1, 2, 2 * i + 1), new(0, 4, 2 * i + 2)]);
        return new("f", "Sweep", "x", "y", LogX: true, [.. Enumerable.Range(0, lines).Select(Line)], null) { ShowsEnergy = false };
    }

    private FigureFile Svg(Figure figure)
    {
        File.WriteAllBytes(_scratch["figure.svg"], FigureImage.Svg(new(figure, IsValid)));
        return new(_scratch["figure.svg"]);
    }

    private static string Css(SKColor colour) => $"rgb({colour.Red},{colour.Green},{colour.Blue})";
}
