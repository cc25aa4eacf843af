using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class AlpacaPromptsTests
{
    [Test]
    public void TheOfficialTemplates()
    {
        // As they stand in stanford_alpaca/train.py.
        Assert.That(AlpacaPrompts.Render("Add.", "1 and 2"), Is.EqualTo(
            "Below is an instruction that describes a task, paired with an input that provides further context. " +
            "Write a response that appropriately completes the request.\n\n" +
            "### Instruction:\nAdd.\n\n### Input:\n1 and 2\n\n### Response:"));
        Assert.That(AlpacaPrompts.Render("Add {0}.", ""), Is.EqualTo(
            "Below is an instruction that describes a task. " +
            "Write a response that appropriately completes the request.\n\n" +
            "### Instruction:\nAdd {0}.\n\n### Response:"));
    }

    [Test]
    public void All52002RecordsAsPythonRendersThem()
    {
        var prompts = new AlpacaPrompts(SharedData.Path("data", "alpaca", "alpaca_data.json")).Read().ToList();
        Assert.Multiple(() =>
        {
            Assert.That(prompts, Has.Count.EqualTo(52002));
            Assert.That(prompts.Select(p => p.Index), Is.EqualTo(Enumerable.Range(0, 52002)));
            Assert.That(prompts.Count(p => !p.Text.Contains("\n\n### Input:\n")), Is.EqualTo(31323));
            Assert.That(prompts.Count(p => p.ReferenceOutput == null), Is.EqualTo(28));
            Assert.That(prompts[29819].ReferenceOutput, Does.EndWith("\u0003\u0007\u0001 \u0001 \u0001 \u0001 \u007f"));
            Assert.That(prompts[38224].ReferenceOutput, Does.Contain("Marauder\u000b- Borg"));
            // json.load, the two templates of train.py with format_map, hashlib.
            Assert.That(Digest.Of(prompts), Is.EqualTo("cfdf77a1d4103da83d196cdde21a6f297dfe3b2d64e82178cb522e7cc899e84f"));
        });
    }

    [Test]
    public void TheSourceNamesTheLineInTheFile()
    {
        // Five lines a record, after the line of the opening bracket.
        var prompts = new AlpacaPrompts(SharedData.Path("data", "alpaca", "alpaca_data.json")).Read();
        var last = prompts.Last();
        Assert.That(last.Source, Is.EqualTo($"alpaca_data.json:{2 + 5 * 52001}"));
    }

    [TestCase("[\n {\"instruction\": \"a\"},\n {\"input\": \"b\"}\n]", ":3: record 1 ", "has no \"instruction\" (it has \"input\")")]
    [TestCase("[\n {\"instruction\": \"a\"},\n {\n  \"instruction\": 5}\n]", ":3: record 1 ", "a number as its \"instruction\"")]
    [TestCase("[\n {\"instruction\": \"a\"},\n {\"instruction\": \"\"}]", ":3: record 1 ", "empty \"instruction\"")]
    [TestCase("[\n {\"instruction\": \"a\"},\n\n 7]", ":4: record 1 ", "is a number, expected an object")]
    [TestCase("[\n {\"instruction\": \"a\"},\n {\n  \"instruction\": \"b,\n  \"input\": \"\"}\n]", ":4: record 1 ", "not valid JSON")]
    [TestCase("[\n {\"instruction\": \"a\"},\n {\"instruction\": \"b\"}\n", ":4: record 2 ", "not valid JSON")]
    [TestCase("[\n {\"instruction\": \"a\"}]\n{}", ":3: record 1 ", "text after the closing ']'")]
    [TestCase("[\n {\"instruction\": \"a\"},\n {\"instruction\": \"\\ud83d\"}]", ":3: record 1 ", "not valid Unicode")]
    [TestCase("no json at all", ":1: record 0 ", "not valid JSON")]
    public void AMalformedRecordIsNamedByFileAndLine(string content, string where, string what)
    {
        using var scratch = new ScratchDirectory();
        var path = scratch.File("alpaca_data.json", content);
        Assert.That(() => new AlpacaPrompts(path).Read().ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith(path + where).And.Message.Contains(what).And.Message.Not.Contains("\n"));
    }
}
