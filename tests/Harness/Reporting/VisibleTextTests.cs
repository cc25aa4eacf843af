using System.Globalization;
using Harness.Common;
using Harness.Reporting;
using Harness.Runs.Records;
using Spectre.Console;

namespace Harness.Tests.Reporting;

/// <summary>
/// What acts on a terminal is shown: control functions (ECMA-48), C1 as single bytes or code points, and the marks of 'Trojan Source'
/// (Boucher and Anderson 2021, CVE-2021-42574).
/// </summary>
internal sealed class VisibleTextTests
{
    /// <summary>ESC, BEL, CSI as C1, DEL, override, isolate, zero-width space, byte-order mark, tag, line separator, half a pair.</summary>
    private const string Acting = "a\u001b[31mb\ac\u009b2Jd\u007fe\u202ef\u2066g\u200bh\ufeffi\U000e0041j\u2028k\ud83dl\r\nm\tn";

    [Test]
    public void WhatActsIsShown() => Assert.That(VisibleText.Of(Acting),
        Is.EqualTo(@"a\u001b[31mb\u0007c\u009b2Jd\u007fe\u202ef\u2066g\u200bh\ufeffi\U000e0041j\u2028k\ud83dl\r\nm\tn"));

    [TestCase("plain, 'quoted' \\u001b")]
    [TestCase("Grüße, 你好, שלום, مرحبا, नमस्ते")]
    [TestCase("\U0001f469\u200d\U0001f52c and می\u200cخواهم")]
    [TestCase("")]
    public void WhatOnlyReadsStays(string text) => Assert.That(VisibleText.Of(text), Is.SameAs(text));

    [Test]
    public void EveryControlCharacterActs() => Assert.That(
        Enumerable.Range(0, 0x10000).Where(c => char.IsControl((char)c)).Select(c => VisibleText.Of(((char)c).ToString())),
            Is.All.Length.InRange(2, 6));

    [Test]
    public void ALineThatIsWrittenIsOneLine()
    {
        var written = new StringWriter { NewLine = "\n" };
        using var writer = new VisibleWriter(written);
        writer.WriteLine("collect: cannot read out\n/run\u001b[2J");
        writer.Write("two\nlines\u202e\n");
        writer.Write('\ud83d');
        writer.Write('\ude00');
        writer.Write('\a');
        Assert.That(written.ToString(), Is.EqualTo("collect: cannot read out\\n/run\\u001b[2J\ntwo\nlines\\u202e\n\U0001f600\\u0007"));
    }

    [Test]
    public void PromptsAnswersNamesAndCategoriesDoNotActOnTheTerminal()
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No });
        SampleAnswers.Write(console,
            [new() { RunId = "r", Repeat = 1, PromptIndex = 0, Prompt = Acting, OutputIds = [], Text = Acting, FinishReason = "eos" }]);
        CategoryRecord Category(string name) => new() { RunId = "r", Category = name };
        SummaryTable.Write(console,
            new()
            {
                RunId = "r",
                Status = "complete",
                Model = Acting,
                Gpu = Acting,
                Dataset = Acting,
                InvalidReasons = Acting,
                EnergySource = Acting
            },
            [Category(Acting), Category("b")], $"results/{Acting}");
        new LiveProgress(console, TimeProvider.System).Note(Acting);
        Assert.That(output.ToString().Where(c =>
            c != '\n' && (char.IsControl(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format || char.IsSurrogate(c))), Is.Empty);
        Assert.That(output.ToString(), Does.Contain(@"\u001b[31mb").And.Contain(@"\u202e"));
    }

    [Test]
    public void ASurrogatePairIsNotCutInTwo()
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No });
        var text = string.Concat(Enumerable.Repeat("\U0001f600", 400));
        SampleAnswers.Write(console,
            [new() { RunId = "r", Repeat = 1, PromptIndex = 0, Prompt = "x" + text, OutputIds = [], Text = "x" + text,
            FinishReason = "eos" }]);
        Assert.That(output.ToString(), Does.Not.Contain("\\u"));
    }

    [Test]
    public void AFilesLinesDoNotActEither()
    {
        using var scratch = new ScratchDirectory();
        var log = new Harness.Running.RankLog(1, _ => { });
        log.Open(scratch.Path);
        log.Note(Acting);
        Assert.That(File.ReadAllText(scratch["rank-001.log"]).TrimEnd('\n').Where(char.IsControl), Is.Empty);
    }
}
