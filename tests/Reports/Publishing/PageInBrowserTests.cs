using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Harness.Reports.Collecting;
using Harness.Reports.Publishing;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Reports.Publishing;

/// <summary>The page as a browser shows it.</summary>
[TestFixture, Parallelizable]
public sealed partial class PageInBrowserTests
{
    private ScratchDirectory _scratch = null!;
    private Browser _browser = null!;
    private Page _page = null!;

    [OneTimeSetUp]
    public void SetUp()
    {
        _scratch = new();
        _browser = new();
        Grid(_scratch);
        _page = Page.Of(_scratch);
    }

    [OneTimeTearDown]
    public void TearDown()
    {
        _browser?.Dispose();
        _scratch?.Dispose();
    }

    [SetUp]
    public void Open()
    {
        _browser.Resize(1400, 1000);
        _browser.Requests();
        _browser.Open(_scratch["report.html"]);
    }

    [TearDown]
    public void NothingIsWrongAndNothingIsFetched()
    {
        Assert.That(_browser.Console(), Is.Empty);
        Assert.That(_browser.Requests().Where(address =>
            !address.StartsWith("file:", StringComparison.Ordinal) && !address.StartsWith("data:", StringComparison.Ordinal)), Is.Empty);
    }

    /// <summary>
    /// A study: two models by shards, batch and length; power limits; one run each that is invalid, unmeasured, unfinished.
    /// </summary>
    private static void Grid(ScratchDirectory scratch)
    {
        foreach (var (model, watts, seconds) in new[] { ("llama-7b", 180.0, 20.0), ("llama-65b", 260, 90) })
            foreach (var shards in new[] { 1, 2, 4, 8 })
                foreach (var batch in new[] { 8, 64 })
                    new SyntheticRun($"{model}-tp{shards}-b{batch}")
                    {
                        Model = model,
                        TensorParallel = shards,
                        BatchSize = batch,
                        DeviceWatts = [.. Enumerable.Range(0, shards).Select(i => watts + batch / 4.0 + 3 * i)],
                        Seconds = seconds / Math.Pow(shards, 0.6) / Math.Pow(batch / 8.0, 0.5),
                        Categories = model == "llama-7b" && shards == 1 ? ["code", "math", "translation"] : [null],
                        InvalidReasons = shards == 8 && batch == 64 ? "sample_gap;throttled" : null,
                        Phases = model == "llama-7b" ? [0.2, 0.7 - shards / 16.0, shards / 16.0, 0, 0.1] : null,
                    }.Write(scratch);
        foreach (var (limit, time, energy) in new[] { (250.0, 1.0, 1.0), (175, 1.067, 1 - 0.2321), (150, 1.1949, 1 - 0.3315) })
            new SyntheticRun($"caps/cap-{limit}W")
            {
                Model = "llama-13b",
                PowerLimitWatts = limit,
                Seconds = 40 * time,
                DeviceWatts = [240 * energy / time]
            }.Write(scratch);
        foreach (var length in new[] { 32, 256, 1024 })
            new SyntheticRun($"length-{length}")
            {
                Model = "llama-13b",
                MaxNewTokens = length,
                TokensPerPrompt = length,
                Seconds = length / 8.0,
                DeviceWatts = [200 + 10 * Math.Log2(length)]
            }.Write(scratch);
        new SyntheticRun("unmeasured") { DeviceWatts = [] }.Write(scratch);
        new SyntheticRun("unfinished") { Status = RunStatus.Incomplete }.Write(scratch);
    }

    [Test]
    public void TheTableShowsEveryRunAndSortsByEveryColumn()
    {
        _browser.Click("#all-columns");
        var labels = _page.Data["runs"]!.AsArray().Select(r => (string)r!["label"]!).ToList();
        Assert.That(Rows(), Is.EqualTo(labels));
        var columns = _browser.List<string>("[...document.querySelectorAll('#summary th[data-column]')].map(t => t.dataset.column)")
            .Where(c => c is not "box" and not "label").ToList();
        Assert.That(columns, Has.Count.GreaterThan(40));
        foreach (var column in columns)
        {
            foreach (var direction in new[] { 1, -1 })
            {
                _browser.Do($"document.querySelector(\"#summary th[data-column='{column}'] button\").click()");
                var values = Rows().Select(label => _page.Value(label, column)).ToList();
                Assert.That(values.SkipWhile(v => v != null), Has.All.Null, $"{column}: missing values come last");
                var present = values.OfType<JsonValue>().ToList();
                if (present.All(v => v.GetValueKind() == System.Text.Json.JsonValueKind.Number))
                    Assert.That(present.Select(v => direction * v.GetValue<double>()), Is.Ordered, column);
                else
                    Assert.That(present.Select(v => v.ToString()), direction > 0
                        ? Is.Ordered.Using<string>(Harness.Reports.Publishing.NaturalOrder.Instance)
                        : Is.Ordered.Descending.Using<string>(Harness.Reports.Publishing.NaturalOrder.Instance), column);
                Assert.That(_browser.Read<string>($"document.querySelector(\"#summary "
                    + $"th[data-column='{column}']\").getAttribute('aria-sort')"), Is.EqualTo(direction > 0 ? "ascending" : "descending"));
            }
        }
    }

    [Test]
    public void InvalidAndUnfinishedRowsLookDifferent()
    {
        string Class(string label) =>
            _browser.Read<string>($"[...document.querySelectorAll('#summary tbody tr')].find(r => r.querySelector('.link').textContent "
            + $"=== '{label}').className");
        Assert.That((Class("llama-7b-tp8-b64"), Class("unmeasured"), Class("unfinished"), Class("llama-7b-tp1-b8")),
            Is.EqualTo(("invalid", "invalid", "unfinished", "")));
        var means = _browser.Read<string>("document.querySelector('#validity').textContent");
        Assert.That(means, Does.Contain("two samples lie more than 5 intervals apart").And.Contain("nothing was measured; the only reason "
            + "then"));
    }

    [Test]
    public void EveryMarkStandsWhereItsNumberIs()
    {
        foreach (var id in new[] { "watts-by-shards", "joules-per-token-by-shards", "joules-per-response-by-batch",
            "tokens-per-second-by-max-length", "power-caps" })
        {
            var figure = id == "power-caps" ? _page.Data["capFigure"]! : _page.Figure(id);
            var expected = figure["series"]!.AsArray().SelectMany(s => s!["points"]!.AsArray())
                .Select(p => ((double)p!["x"]!, (double)p["y"]!)).ToList();
            Assert.That(expected, Is.Not.Empty, id);
            AssertMarks(id, ".mark path, .mark circle", expected);
        }
        Assert.That(_page.Lines("watts-by-shards")["llama-7b, batch 8"], Has.Length.EqualTo(4));
        Assert.That(_page.Lines("watts-by-shards")["llama-7b, batch 8"].Select(p => p.Y), Is.EqualTo(new[] { 182.0, 367, 746, 1540 })
            .Within(1e-9), "182, 185, … watts per device");
    }

    /// <summary>Of llama-7b, batch 8: a sixteenth of the joules per shard went into communication.</summary>
    [Test]
    public void PartsOfJoulesAreAsHighAsTheirNumbers()
    {
        var figure = _page.Data["phases"]!.AsArray().Single(one => ((string)one!["title"]!).EndsWith("batch 8", StringComparison.Ordinal))!;
        var chart = $"#chart-{(string)figure["id"]!}";
        var heights = _browser.List<double>($"[...document.querySelectorAll('{chart} .part rect')].map(r => r.height.baseVal.value)");
        var expected = (from shards in new[] { 1, 2, 4, 8 }
                        let joules = (double)_page.Value($"llama-7b-tp{shards}-b8", "energy_per_output_token_j")!
                        from share in new[] { 0.2, 0.7 - shards / 16.0, shards / 16.0, 0.1 }
                        select share * joules).ToList();
        Assert.That(heights, Has.Count.EqualTo(expected.Count));
        // A hair between two parts belongs to both.
        var scale = heights.Sum() / expected.Sum();
        Assert.That(heights, Is.EqualTo(expected.Select(joules => scale * joules)).Within(0.5));
        var cells = _browser.List<string>("[...document.querySelectorAll('#phases table')].map(t => t.textContent)");
        Assert.That(cells, Has.Count.EqualTo(2).And.All.Contain("communication (J/token)"));
        Assert.That(_browser.Read<string>("document.querySelector('#phases').textContent"), Does.Contain("NCCL"));
    }

    [Test]
    public void LinesGoThroughTheMeansOfValidRuns()
    {
        // The only run with 8 shards and batch 64 is invalid: the line ends there, at a hollow mark.
        var corners = _browser.List<double>(
            "(() => { const svg = document.querySelector('#chart-watts-by-shards svg'); const y = svg.scale('y'); "
            + "const i = [...document.querySelector('#chart-watts-by-shards').closest('.grid').nextElementSibling.children].findIndex(l "
            + "=> l.textContent === 'llama-7b, batch 64'); "
            + "return svg.querySelectorAll('.line path')[i].getAttribute('d').match(/[-\\d.]+,[-\\d.]+/g).map(p => "
            + "y.invert(Number(p.split(',')[1]))); })()");
        Assert.That(corners, Is.EqualTo(_page.Lines("watts-by-shards")["llama-7b, batch 64"].Select(p => p.Y)).Within(3));
        Assert.That(_browser.Read<long>("[...document.querySelectorAll('#chart-watts-by-shards .mark *')].filter(m => "
            + "getComputedStyle(m).fill === getComputedStyle(document.querySelector('#sweeps')).backgroundColor).length"), Is.EqualTo(2));
    }

    [Test]
    public void TheParetoFrontIsTheOneOfTheModel()
    {
        foreach (var pareto in _page.Data["pareto"]!.AsArray())
        {
            (double, double)[] Of(string name) => [.. pareto![name]!.AsArray().Select(p => ((double)p!["x"]!, (double)p["y"]!))];
            AssertMarks((string)pareto!["id"]!, ".front path, .front circle", Of("front"));
            AssertMarks((string)pareto["id"]!, ".mark path, .mark circle", Of("points"));
        }
    }

    [Test]
    public void DistributionsReachTheirPercentiles()
    {
        _browser.Type("#filter", "length-256");
        _browser.Until("document.querySelectorAll('#summary tbody tr').length === 1");
        // 16 prompts; the eighth smallest latency is that of prompt 7: half of all took no longer.
        var steps = _browser.Read<string>("document.querySelector('#chart-latency-distribution .line path').getAttribute('d')");
        Assert.That(steps.Count(c => c is 'V' or 'L'), Is.GreaterThanOrEqualTo(16), steps);
        var ends = _browser.List<double>(
            "(() => { const svg = document.querySelector('#chart-latency-distribution svg'); const box = svg.querySelector('.line "
            + "path').getBBox(); "
            + "return [svg.scale('x').invert(box.x), svg.scale('x').invert(box.x + box.width), svg.scale('y').invert(box.y + box.height), "
            + "svg.scale('y').invert(box.y)]; })()");
        var run = new SyntheticRun("") { Seconds = 32 };
        Assert.That(ends, Is.EqualTo(new[] { run.LatencyOf(0), run.LatencyOf(15), 0, 1 }).Within(0.1));
    }

    /// <summary>What the page counts under bounds is what the report computes, and so are the fewest joules at each bound.</summary>
    [Test]
    public void BoundsJudgeEveryRequestAgain()
    {
        var slo = Slo.Parse("tpot=300ms,latency=11s", "--slo");
        List<string> Cells(string label) => _browser.List<string>(
            $"[...[...document.querySelectorAll('#goodput tbody tr')].find(r => r.cells[0].textContent === '{label}').cells]"
            + ".map(c => c.textContent)");
        Assert.That(Cells("llama-7b-tp1-b8"), Is.EqualTo(new[] { "llama-7b-tp1-b8", "16", "16", "100", "0.8", "0.8", "227.5", "227.5" }),
            "without bounds goodput is throughput: 182 W × 20 s ÷ 16");
        _browser.Type("#bound-latency", "11s");
        _browser.Type("#bound-tpot", "300ms");
        _browser.Until($"document.querySelector('#goodput code').textContent === '--slo {slo}'");
        _browser.Until("document.querySelectorAll('#goodput tbody tr td')[1].textContent !== '16'");
        var expected = GoodputOf(slo);
        Assert.That(expected.Values.Select(goodput => goodput.Good).Distinct().Count(), Is.GreaterThan(3), "they differ");
        foreach (var (label, goodput) in expected)
            Assert.That(Cells(label).Skip(1).First(), Is.EqualTo($"{goodput.Good}"), label);
        Assert.That(Cells("llama-7b-tp1-b8").Skip(3), Is.EqualTo(new[] { "50", "0.4", "0.8", "455", "227.5" }));
        Assert.That(Cells("unmeasured")[6], Is.EqualTo("–"));

        var found = new RunsBelow("report", TextWriter.Null);
        var front = GoodputFigures.Of(RunSet.Load([_scratch.Path], found), slo, found)
            .Single(figure => figure.Id == "goodput-latency").Series[0].Points;
        var corners = _browser.List<double>("(() => { const svg = document.querySelector('#chart-goodput-joules-latency svg'); "
            + "const [x, y] = [svg.scale('x'), svg.scale('y')]; return svg.querySelector('.front path').getAttribute('d')"
            + ".match(/[-\\d.]+,[-\\d.]+/g).map(p => p.split(',').map(Number)).flatMap(p => [x.invert(p[0]), y.invert(p[1])]); })()");
        foreach (var point in front)
            Assert.That(corners.Chunk(2).Any(at => Math.Abs(at[0] / point.X - 1) < 0.02 && Math.Abs(at[1] / point.Y - 1) < 0.02),
                $"{point}");

        _browser.Do("const s = document.querySelector('#slider-latency'); s.value = s.max; s.dispatchEvent(new Event('input'))");
        _browser.Until("document.querySelector('#goodput code').textContent === '--slo tpot=300ms'");
        Assert.That(_browser.Read<string>("document.querySelector('#bound-latency').value"), Is.Empty, "the last step is no bound");
        _browser.Do("const s = document.querySelector('#slider-latency'); s.value = 0; s.dispatchEvent(new Event('input'))");
        _browser.Until("[...document.querySelectorAll('#goodput tbody tr')].every(r => r.cells[1].textContent === '0' "
            + "&& r.cells[6].textContent === '–')");
        _browser.Screenshot("goodput");
    }

    /// <summary>As a report under these bounds has it, by label.</summary>
    private Dictionary<string, GoodputColumns> GoodputOf(Slo slo)
    {
        var found = new RunsBelow("report", TextWriter.Null);
        var goodput = new GoodputOfRuns(slo, found);
        return RunSet.Load([_scratch.Path], found).Where(run => run.Summary.Status == RunStatus.Complete)
            .ToDictionary(run => run.Label, run => goodput.Of(run.Summary, run.Directory));
    }

    [Test]
    public void PowerOfTheChosenRunIsDrawnOverItsWindows()
    {
        _browser.Do("[...document.querySelectorAll('#summary .link')].find(l => l.textContent === 'llama-7b-tp2-b8').click()");
        Assert.That(_browser.Read<string>("document.querySelector('#chart-power-1 figcaption').textContent"),
            Does.StartWith("llama-7b-tp2-b8"));
        var watts = _browser.List<double>(
            "(() => { const svg = document.querySelector('#chart-power-1 svg'); return [...svg.querySelectorAll('.line path')].map(p => "
            + "svg.scale('y').invert(p.getBBox().y)); })()");
        Assert.That(watts, Is.EqualTo(new[] { 182.0, 185 }).Within(1));
        var windows = _browser.List<double>(
            "(() => { const svg = document.querySelector('#chart-power-1 svg'); const x = svg.scale('x'); return "
            + "[...svg.querySelectorAll('.window rect')].flatMap(r => [x.invert(Number(r.getAttribute('x'))), "
            + "x.invert(Number(r.getAttribute('x')) + Number(r.getAttribute('width')))]); })()");
        var measured = 20 / Math.Pow(2, 0.6);
        Assert.That(windows, Is.EqualTo(new[] { 0, 2, 2, 5, 5, 5 + measured }).Within(0.05));
        Assert.That(_browser.Read<string>("document.querySelector('#manifest .body').textContent"),
            Does.Contain("Sharding:Tensor").And.Contain("command line").And.Contain("node-1"));
        _browser.Do("const s = document.querySelector('#power select'); s.value = [...s.options].find(o => "
            + "o.textContent.startsWith('unmeasured')).value; s.dispatchEvent(new Event('change'))");
        Assert.That(_browser.Read<string>("document.querySelector('#power .empty').textContent"),
            Is.EqualTo("unmeasured was not measured: it ran without a meter."));
    }

    [Test]
    public void TheFilterChoosesRunsForTableAndFigures()
    {
        _browser.Type("#filter", "65b batch 8");
        _browser.Until("document.querySelectorAll('#summary tbody tr').length === 4");
        Assert.That(Rows(), Has.All.StartsWith("llama-65b").And.All.EndsWith("b8"));
        AssertMarks("watts-by-shards", ".mark path, .mark circle", _page.Lines("watts-by-shards")["llama-65b, batch 8"]);
        _browser.Type("#filter", "nothing at all");
        _browser.Until("document.querySelectorAll('#summary tbody tr').length === 0");
        Assert.That(_browser.Read<long>("document.querySelectorAll('.drawing svg').length"), Is.Zero);
        Assert.That(_browser.Read<long>("document.querySelectorAll('section .empty').length"), Is.GreaterThanOrEqualTo(8),
            "every section says that nothing is there");
    }

    [Test]
    public void CategoriesHaveTheirRows()
    {
        var rows = _browser.List<string>(
            "[...document.querySelectorAll('#categories tbody tr')].map(r => [...r.cells].slice(0, 5).map(c => c.textContent).join('|'))");
        Assert.That(rows, Does.Contain("llama-7b-tp1-b8|code|6|105|300").And.Contain("llama-7b-tp1-b8|math|5|85|250"),
            "prompts 0, 3, … 15 and 1, 4, … 13 with 10 + i input tokens");
    }

    [Test]
    public void TheThemeChangesAndSoDoesWhatIsDrawn()
    {
        string[] Colours() =>
            [.. new[] { "getComputedStyle(document.body).backgroundColor", "getComputedStyle(document.body).color",
            "getComputedStyle(document.querySelector('#chart-watts-by-shards .line path')).stroke" }.Select(_browser.Read<string>)];
        _browser.Screenshot("light");
        var light = Colours();
        _browser.Click("#theme");
        var dark = Colours();
        for (var i = 0; i < light.Length; i++) Assert.That(dark[i], Is.Not.EqualTo(light[i]));
        Assert.That(Brightness(dark[0]), Is.LessThan(60));
        Assert.That(Brightness(dark[1]), Is.GreaterThan(190));
        _browser.Screenshot("dark");
        _browser.Click("#theme");
        Assert.That(Colours(), Is.EqualTo(light));
    }

    [Test]
    public void ThePageFollowsTheSystemAndPaperIsWhite()
    {
        try
        {
            double Background() => Brightness(_browser.Read<string>("getComputedStyle(document.body).backgroundColor"));
            _browser.Emulate("screen", "dark");
            // The page is told of the change, by and by.
            _browser.Until("document.querySelector('#theme').textContent === 'Light'");
            Assert.That(Background(), Is.LessThan(60));
            _browser.Emulate("print", "dark");
            Assert.That(Background(), Is.EqualTo(255));
            Assert.That(_browser.Read<bool>("[...document.querySelectorAll('nav, .tools, .save, select')].every(e => "
                + "getComputedStyle(e).display === 'none')"), "nothing to click on paper");
        }
        finally
        {
            _browser.Emulate("screen", "light");
        }
    }

    [Test]
    public void ANarrowWindowNeedsNoScrollingSideways()
    {
        _browser.Resize(500, 900);
        _browser.Until("document.querySelector('#chart-watts-by-shards svg').getBoundingClientRect().width > 350");
        Assert.That(_browser.Read<long>("document.documentElement.scrollWidth - document.documentElement.clientWidth"), Is.Zero);
        _browser.Screenshot("narrow");
    }

    [Test]
    public void NoLabelOfAnAxisIsCutOffOrOverlapsAnother()
    {
        var overlaps = _browser.Read<string>("""
            [...document.querySelectorAll('.drawing svg')].flatMap(svg => ['x-axis tick label', 'y-axis tick label'].flatMap(name => {
              const boxes = [...svg.querySelectorAll(`[aria-label="${name}"] text`)].map(t => [t.textContent, t.getBoundingClientRect()]);
              return boxes.flatMap(([text, a], i) => boxes.slice(i + 1).filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom).map(([other]) => `${svg.closest('figure').id}: ${text} and ${other}`))
                .concat(boxes.filter(([, b]) => b.left < svg.closest('section').getBoundingClientRect().left).map(([text]) => `${svg.closest('figure').id}: ${text} is cut off`));
            })).join('; ')
            """);
        Assert.That(overlaps, Is.Empty);
    }

    [Test]
    public void ItPrints()
    {
        var pdf = _browser.Pdf();
        if (Environment.GetEnvironmentVariable("HARNESS_SCREENSHOTS") is { Length: > 0 } folder)
            File.WriteAllBytes(Path.Combine(folder, "print.pdf"), pdf);
        Assert.That(PdfPage().Count(Encoding.Latin1.GetString(pdf)), Is.InRange(4, 30));
    }

    [Test]
    public void DrawingsAreSavedWithColoursOfTheirOwn()
    {
        var svg = _browser.Read<string>("standalone(document.querySelector('#chart-watts-by-shards svg'))");
        Assert.That(System.Xml.Linq.XDocument.Parse(svg).Root!.Name.LocalName, Is.EqualTo("svg"));
        Assert.That(svg, Does.Not.Match("(fill|stroke)=\"(var|currentColor)"));
    }

    [Test]
    public void HostileTextsAreTexts()
    {
        using var scratch = new ScratchDirectory();
        const string hostile = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">{{data}}";
        new SyntheticRun("r")
        {
            Model = hostile,
            Dataset = hostile,
            Categories = [hostile],
            Manifest = new Dictionary<string,
            object>
            { ["note"] = new { Text = hostile } }
        }.Write(scratch);
        Page.Of(scratch);
        _browser.Open(scratch["report.html"]);
        Assert.That(_browser.Read<string>("document.title"), Is.EqualTo("Energy of LLM inference: 1 run"));
        Assert.That(_browser.Read<long>("document.querySelectorAll('img').length"), Is.Zero);
        Assert.That(_browser.Read<string>("document.querySelector('#summary tbody').textContent"), Does.Contain(hostile));
        Assert.That(_browser.Read<string>("document.querySelector('#categories tbody').textContent"), Does.Contain(hostile));
    }

    [Test]
    public void WhatIsNotThereIsSaid()
    {
        using var scratch = new ScratchDirectory();
        new SyntheticRun("unfinished") { Status = RunStatus.Incomplete }.Write(scratch);
        Page.Of(scratch);
        _browser.Open(scratch["report.html"]);
        Assert.That(_browser.Read<long>("document.querySelectorAll('.drawing svg').length"), Is.Zero);
        foreach (var section in new[] { "sweeps", "caps", "pareto", "goodput", "latency", "power", "categories" })
            Assert.That(_browser.Read<long>($"document.querySelectorAll('#{section} .empty').length"), Is.Positive, section);
        _browser.Screenshot("empty");
    }

    /// <summary>The marks of a chart, read back through the chart's own scales, are these points.</summary>
    private void AssertMarks(string chart, string selector, IReadOnlyCollection<(double X, double Y)> expected)
    {
        var numbers = _browser.List<double>($$"""
            (() => { const svg = document.querySelector('#chart-{{chart}} svg'); const [x, y] = [svg.scale('x'), svg.scale('y')];
              return [...new Set({{"svg.querySelectorAll('" + selector + "')"}})].flatMap(m => {
                const at = m.tagName === 'circle' ? [m.cx.baseVal.value, m.cy.baseVal.value] : m.getAttribute('transform').match(/[-\d.]+/g).map(Number);
                return [x.invert(at[0]), y.invert(at[1])]; }); })()
            """);
        var drawn = numbers.Chunk(2).Select(p => (X: p[0], Y: p[1])).ToList();
        Assert.That(drawn, Has.Count.EqualTo(expected.Count), chart);
        var (wide, high) = (expected.Max(p => Math.Abs(p.X)), expected.Max(p => Math.Abs(p.Y)));
        foreach (var (x, y) in expected)
            Assert.That(drawn.Any(d => Math.Abs(d.X - x) <= 0.002 * wide && Math.Abs(d.Y - y) <= 0.004 * high),
                $"{chart}: {x}, {y} is not among {string.Join(' ', drawn)}");
    }

    private List<string> Rows() => _browser.List<string>("[...document.querySelectorAll('#summary tbody .link')].map(l => l.textContent)");

    private static double Brightness(string colour) =>
        colour.Split('(', ',', ')').Skip(1).Take(3).Average(n => double.Parse(n, System.Globalization.CultureInfo.InvariantCulture));

    [GeneratedRegex(@"/Type\s*/Page\b")]
    private static partial Regex PdfPage();
}
