using System.Text;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Records;
using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

/// <summary>
/// Texts that a spreadsheet would compute: OWASP, 'CSV injection', whose list is = + - @, tab, CR, LF and full-width forms, after any
/// separator.
/// </summary>
internal sealed class SpreadsheetTests
{
    [TestCase("=1+1", "'=1+1")]
    [TestCase("+1", "'+1")]
    [TestCase("-5", "'-5")]
    [TestCase("@SUM(A1)", "'@SUM(A1)")]
    [TestCase("\t=1", "'\t'=1")]
    [TestCase("\rx", "'\rx")]
    [TestCase("\nx", "'\nx")]
    [TestCase(" =1", "' =1")]
    [TestCase("'=1", "''=1")]
    [TestCase("\uff1d1", "'\uff1d1")]
    [TestCase("a;=1", "a;'=1")]
    [TestCase("a\n@x", "a\n'@x")]
    [TestCase("a=1, -b", "a=1, -b")]
    [TestCase("'tis", "'tis")]
    [TestCase("", "")]
    public void BeginWithAnApostrophe(string text, string written)
    {
        Assert.That(CsvDialect.Text(text), Is.EqualTo(written));
        Assert.That(CsvDialect.Original(written), Is.EqualTo(text));
        Assert.That(CsvDialect.Cell(written), Is.EqualTo(written), "what is safe stays");
    }

    [Test]
    public void NoTwoTextsBecomeTheSame()
    {
        const string alphabet = "'=;\ta ";
        string[] texts = [""];
        for (var length = 1; length <= 5; length++)
            texts = [.. texts, .. from text in texts where text.Length == length - 1 from c in alphabet select text + c];
        Assert.That(texts.Select(CsvDialect.Text).Distinct().Count(), Is.EqualTo(texts.Length));
        Assert.That(texts.Select(text => CsvDialect.Original(CsvDialect.Text(text))), Is.EqualTo(texts));
        Assert.That(texts.Select(CsvDialect.Text).Where(text => text.Split(';', '\t').Any(cell => cell.TrimStart() is ['=', ..])),
            Is.Empty);
    }

    [Test]
    public void EveryReaderSeesTheSameValueAndNumbersStayNumbers()
    {
        var row = Samples.Prompt(0) with { Category = "=cmd|' /C calc'!A0", LatencySeconds = -1.5 };
        var stream = new MemoryStream();
        CsvRows.WriteHeader<PromptRecord>(stream);
        CsvRows.Write(stream, [row]);
        var foreign = CsvTable.Parse(Encoding.UTF8.GetString(stream.ToArray())).Single();
        stream.Position = 0;
        var own = CsvRows.Read<PromptRecord>(stream, "prompts.csv").Single();
        Assert.That((foreign["category"], own.Category), Is.EqualTo(("'=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0")));
        Assert.That((foreign["latency_s"], own.LatencySeconds), Is.EqualTo(("-1.5", -1.5)));
    }

    [Test]
    public void ADeviceIsFoundAgainUnderItsName()
    {
        SampleSeries series =
            new(new EnergyDomain("-node", "=0", DomainKind.Gpu, "nvml"), 0, [new EnergyReading { TimeSeconds = 1, EnergyJoules = 2 }]);
        var text = new StringWriter();
        PowerRecords.Write(text, [series]);
        Assert.That(text.ToString(), Does.Contain(",'-node,'=0,"));
        Assert.That(PowerRecords.Read(new StringReader(text.ToString()), "power.csv").Single().Domain.Key, Is.EqualTo(series.Domain.Key));
    }
}
