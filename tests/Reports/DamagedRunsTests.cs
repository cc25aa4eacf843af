using System.Text;
using Harness.Reports.Collecting;
using Harness.Reports.Exporting;
using Harness.Reports.Publishing;
using Harness.Runs;
using Harness.Tests.Reports.Publishing;

namespace Harness.Tests.Reports;

/// <summary>
/// A run whose files a full disk, a copy or an editor has damaged, beside one that is whole: whoever reads many runs goes on with the
/// whole one, and says of the other which file is wrong.
/// </summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class DamagedRunsTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();
    private readonly StringWriter _log = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>By file: what becomes of its text.</summary>
    private static readonly (string File, string Damage, Func<string, string> Of)[] s_damages =
    [
        (RunFile.Windows.Name, "truncated", text => text[..^20]),
        (RunFile.Windows.Name, "null line", text => text + "null\n"),
        (RunFile.Windows.Name, "empty object", text => text + "{}\n"),
        (RunFile.Windows.Name, "null window", text => text + "{\"window\":null,\"devices\":[]}\n"),
        (RunFile.Windows.Name, "null devices", text => text.Replace("\"devices\":[]", "\"devices\":null")),
        (RunFile.Windows.Name, "null device", text => text.Replace("\"devices\":[]", "\"devices\":[null]")),
        (RunFile.Windows.Name, "a number", text => text + "5\n"),
        (RunFile.Power.Name, "NaN", text => text.Replace(",100,instant", ",NaN,instant")),
        (RunFile.Power.Name, "overflow", text => text.Replace(",100,instant", ",1e999,instant")),
        (RunFile.Power.Name, "unclosed quote", text => text.Replace(",gpu,", ",\"gpu,")),
        (RunFile.Power.Name, "empty", _ => ""),
        (RunFile.Prompts.Name, "NaN", text => text.Replace(",eos,2", ",eos,NaN")),
        (RunFile.Prompts.Name, "overflow", text => text.Replace(",eos,2", ",eos,1e999")),
        (RunFile.Prompts.Name, "unclosed quote", text => text.Replace(",gsm8k,", ",\"gsm8k,")),
        (RunFile.Prompts.Name, "truncated", text => text[..^20]),
        (RunFile.Responses.Name, "truncated", text => text[..^20]),
        (RunFile.Responses.Name, "null line", text => "null\n" + text),
        (RunFile.Responses.Name, "null text", text => text.Replace("\"Two.\"", "null")),
        (RunFile.Responses.Name, "empty", _ => ""),
        (RunFile.Summary.Name, "NaN", text => text.Replace(",2000,", ",NaN,")),
        (RunFile.Summary.Name, "overflow", text => text.Replace(",2000,", ",1e999,")),
        (RunFile.Summary.Name, "NaN for a count", text => text.Replace(",16,16,0,", ",16,NaN,0,")),
        (RunFile.Summary.Name, "unclosed quote", text => text.Replace(",gsm8k,", ",\"gsm8k,")),
        (RunFile.Summary.Name, "truncated", text => text[..^20]),
        (RunFile.Summary.Name, "empty", _ => ""),
        (RunFile.Categories.Name, "NaN", text => text.Replace("code,8,", "code,NaN,")),
        (RunFile.Categories.Name, "unclosed quote", text => text.Replace(",code,", ",\"code,")),
        (RunFile.Manifest.Name, "truncated", text => text[..^20]),
        (RunFile.Manifest.Name, "null", _ => "null"),
        (RunFile.Manifest.Name, "list", _ => "[]"),
        (RunFile.Manifest.Name, "empty", _ => ""),
    ];

    private static IEnumerable<TestCaseData> Damages(params string[] files) =>
        from damage in s_damages
        where files.Contains(damage.File)
        select new TestCaseData(damage.File, damage.Of).SetArgDisplayNames(damage.File, damage.Damage);

    private static IEnumerable<TestCaseData> OfReport() =>
        Damages(RunFile.Windows.Name, RunFile.Power.Name, RunFile.Prompts.Name,
        RunFile.Summary.Name, RunFile.Categories.Name, RunFile.Manifest.Name);

    private static IEnumerable<TestCaseData> OfMlEnergy() =>
        Damages(RunFile.Windows.Name, RunFile.Prompts.Name, RunFile.Responses.Name, RunFile.Summary.Name);

    private static IEnumerable<TestCaseData> OfCodeCarbon() => Damages(RunFile.Windows.Name, RunFile.Summary.Name);

    private static IEnumerable<TestCaseData> OfSummary() => Damages(RunFile.Summary.Name);

    private void Make(string file, Func<string, string> damage)
    {
        foreach (var name in new[] { "whole", "damaged" }) new SyntheticRun(name) { Categories = ["code", "math"] }.Write(_scratch);
        var path = _scratch["damaged", file];
        var (before, after) = (File.ReadAllText(path), damage(File.ReadAllText(path)));
        Assert.That(after, Is.Not.EqualTo(before), "the damage is done");
        File.WriteAllText(path, after);
    }

    /// <summary>One line names the file, and the verb's last one counts it.</summary>
    private void AssertNamed(string verb, string file)
    {
        var lines = _log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines.Count(line => line.StartsWith($"{verb}: ", StringComparison.Ordinal) && line.Contains(_scratch["damaged", file])),
            Is.EqualTo(1), _log.ToString());
        Assert.That(lines[^1], Does.Contain("1 unreadable"));
    }

    [TestCaseSource(nameof(OfReport))]
    public void AReport(string file, Func<string, string> damage)
    {
        Make(file, damage);
        var code = new Report(TextWriter.Null, _log).Write([_scratch.Path], new(_scratch["report.html"], _scratch["report.md"], null));
        Assert.That(code, Is.EqualTo(1));
        var labels = new Page(File.ReadAllText(_scratch["report.html"])).Data["runs"]!.AsArray().Select(run => (string)run!["label"]!);
        // Where the summary is whole, only what the damaged file would have shown is left out.
        Assert.That(labels, Is.EqualTo(file == RunFile.Summary.Name ? ["whole"] : new[] { "damaged", "whole" }));
        AssertNamed("report", file);
    }

    [TestCaseSource(nameof(OfReport))]
    public void FiguresOfAReport(string file, Func<string, string> damage)
    {
        Make(file, damage);
        new Report(TextWriter.Null, _log).Write([_scratch.Path], new(null, null, _scratch["figures"]));
        Assert.That(Directory.GetFiles(_scratch["figures"]).Select(Path.GetFileName), Has.Member("power-whole.svg"));
    }

    [TestCaseSource(nameof(OfSummary))]
    public void ATableOfManyRuns(string file, Func<string, string> damage)
    {
        Make(file, damage);
        Assert.That(new Collect(TextWriter.Null).Run([_scratch.Path], _scratch["all.csv"], _log), Is.EqualTo(1));
        Assert.That(CsvTable.Read(_scratch["all.csv"]).Select(row => row["run_id"]), Is.EqualTo(new[] { "whole" }));
        AssertNamed("collect", file);
    }

    [TestCaseSource(nameof(OfMlEnergy))]
    public void AnExportOfPromptsAndDevices(string file, Func<string, string> damage) => Exported("ml-energy", file, damage);

    [TestCaseSource(nameof(OfCodeCarbon))]
    public void AnExportOfDevices(string file, Func<string, string> damage) => Exported("codecarbon", file, damage);

    [TestCaseSource(nameof(OfSummary))]
    public void AnExportOfSummaries(string file, Func<string, string> damage) => Exported("inferencex", file, damage);

    private void Exported(string format, string file, Func<string, string> damage)
    {
        Make(file, damage);
        using var output = new MemoryStream();
        Assert.That(new Export(Export.Find(format), output).Run([_scratch.Path], "-", includeInvalid: false, _log), Is.Zero,
            "one run is left");
        // The whole run is there and the other is not: in every format the model stands once for each run.
        Assert.That(Encoding.UTF8.GetString(output.ToArray()).Split("llama-7b"), Has.Length.EqualTo(2));
        AssertNamed("export", file);
    }
}
