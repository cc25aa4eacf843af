using Harness.Datasets;
using Harness.Tensors;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class DatasetCatalogTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    [TestCase("alpaca", "alpaca/alpaca_data.json", "alpaca", "\ni\n")]
    [TestCase("alpaca", "alpaca", "alpaca", "\ni\n")]
    [TestCase("alpaca", "", "alpaca", "\ni\n")]
    [TestCase(null, "alpaca/alpaca_data.json", "alpaca", "\ni\n")]
    [TestCase(null, "alpaca", "alpaca", "\ni\n")]
    [TestCase("GSM8K", "gsm8k/test.jsonl", "gsm8k", " q\n")]
    [TestCase(null, "gsm8k", "gsm8k", " q\n")]
    [TestCase(null, "gsm8k/train.jsonl", "gsm8k", " t\n")]
    public void APathMayBeTheFileOrADirectoryAboveIt(string? name, string path, string dataset, string text)
    {
        _scratch.File("alpaca/alpaca_data.json", """[{"instruction": "i", "input": "", "output": "o"}]""");
        _scratch.File("gsm8k/test.jsonl", """{"question": "q", "answer": "#### 1"}""");
        _scratch.File("gsm8k/train.jsonl", """{"question": "t", "answer": "#### 1"}""");
        var prompt = DatasetCatalog.Open(name, _scratch[path]).Read().Single();
        Assert.That(prompt.Dataset, Is.EqualTo(dataset));
        Assert.That(prompt.Text, Does.Contain(text));
    }

    [TestCase("""[{"conversations": []}]""", "sharegpt")]
    [TestCase("""{"prompt": "p"}""", "jsonl")]
    [TestCase("""{"instruction": "p"}""", "alpaca")]
    [TestCase("""{"question": "p", "answer": "#### 1"}""", "gsm8k")]
    public void AFileIsToldByItsFirstRecord(string content, string expected) =>
        Assert.That(DatasetCatalog.Open(null, _scratch.File("any.json", content)).Dataset, Is.EqualTo(expected));

    [Test]
    public void NothingGivenIsTheDemo()
    {
        Assert.That(DatasetCatalog.Open(null, null).Dataset, Is.EqualTo("demo"));
        Assert.That(DatasetCatalog.Open("demo", "").Dataset, Is.EqualTo("demo"));
    }

    [Test]
    public void MistakesAreOneLineWithARemedy()
    {
        var odd = _scratch.File("odd.json", """[{"text": "p"}]""");
        var alpaca = _scratch.File("alpaca.json", """[{"instruction": "p"}]""");
        _scratch.File("gsm8k.jsonl", """{"question": "p", "answer": "#### 1"}""");
        Refused("squad", alpaca, "unknown dataset squad; known are demo, alpaca, gsm8k, sharegpt, jsonl");
        Refused("alpaca", null, "dataset alpaca needs its file: give --data with alpaca_data.json");
        Refused(null, _scratch["missing"], "there is no dataset at");
        Refused("demo", alpaca, "takes no --data");
        Refused("sharegpt", _scratch.Path, "ShareGPT_V3_unfiltered_cleaned_split.json");
        Refused(null, _scratch.Path, "more than one dataset; name one with --dataset: alpaca, gsm8k");
        Refused(null, odd, "\"instruction\" (alpaca)");
        Refused("alpaca", alpaca, "leave the shots out", shots: 3);
        Refused("gsm8k", _scratch.Path, "is -1", shots: -1);
        Assert.That(
            () => DatasetCatalog.Load("jsonl", _scratch.File("none.jsonl", ""), 0, null, null),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("holds no prompts"));
    }

    private static void Refused(string? name, string? path, string message, int shots = 0) =>
        Assert.That(() => DatasetCatalog.Open(name, path, shots), Throws.TypeOf<UserErrorException>()
            .With.Message.Contains(message).And.Message.Not.Contains("\n"));

    [Test]
    public void LoadDrawsTheSubset()
    {
        var path = SharedData.Path("data");
        var prompts = DatasetCatalog.Load("gsm8k", path, shots: 0, limit: 3, seed: 42);
        Assert.That(prompts.Select(p => p.Index), Is.EqualTo(new[] { 978, 211, 368 })); // as PromptSelectionTests has them
    }
}
