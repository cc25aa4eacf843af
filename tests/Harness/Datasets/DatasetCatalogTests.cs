using Harness.Common;
using Harness.Datasets;

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

    // databricks-dolly-15k, LLaMA-Factory's Alpaca with a history, MMLU-like choices, a system prompt of one's own, SQuAD.
    [TestCase("""{"instruction": "When?", "context": "ctx", "response": "now", "category": "closed_qa"}""", "alpaca", "context")]
    [TestCase("""{"instruction": "When?", "context": "", "response": "now"}""", "alpaca", "context")]
    [TestCase("""[{"instruction": "a", "input": "", "output": "b", "history": [["c", "d"]]}]""", "alpaca", "history")]
    [TestCase("""{"question": "q", "answer": "#### 1", "choices": ["1", "2"]}""", "gsm8k", "choices")]
    [TestCase("""{"prompt": "p", "system": "You are a pirate."}""", "jsonl", "system")]
    [TestCase("""{"question": "q", "context": "c", "answer": "#### 1"}""", "gsm8k", "context")]
    public void ADataSetIsToldByAllOfItsKeys(string content, string near, string key) =>
        Refused(null, _scratch.File("any.json", content), $"of {near}, but \"{key}\" too");

    /// <summary>Named, the kind reads a file that has such a field, as long as it is empty.</summary>
    [Test]
    public void AFieldOfAPromptIsRefusedWhereItHoldsSomething()
    {
        var path = _scratch.File("dolly.jsonl", """
            {"instruction": "One?", "context": "", "response": "1"}
            {"instruction": "When?", "context": "In 1987 ...", "response": "then"}
            """);
        Assert.That(DatasetCatalog.Load("alpaca", path, 0, limit: 1, seed: null).Notes,
            Is.EqualTo(new[] { $"{path}: no prompt is made of \"context\", \"response\"" }));
        Assert.That(() => DatasetCatalog.Load("alpaca", path, 0, null, null), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:2: record 1 ").And.Message.Contains("has \"context\"").And.Message.Contains(
                "--dataset jsonl"));
    }

    [Test]
    public void WhatIsLeftOutIsCounted()
    {
        var path = _scratch.File("sharegpt.json", """
            [
              {"id": "a", "conversations": [{"from": "human", "value": "Hi?"}]},
              {"id": "b", "conversations": [{"from": "gpt", "value": "Hello"}]},
              {"id": "c", "conversations": []},
              {"id": "d", "conversations": []},
              {"id": "e", "conversations": [{"from": "human", "value": ""}, {"from": "gpt", "value": "?"}], "lang": "en"}
            ]
            """);
        var loaded = DatasetCatalog.Load(null, path, 0, null, null);
        Assert.That(loaded.Prompts, Has.Count.EqualTo(1));
        Assert.That(loaded.Log.LeftOut,
            Is.EqualTo(new Dictionary<string, int> { ["no turns"] = 2, ["no human turn"] = 1, ["an empty human turn"] = 1 }));
        Assert.That(loaded.Notes, Is.EqualTo(new[]
        {
            $"{path}: 1 of 5 records is left out: an empty human turn", $"{path}: 1 of 5 records is left out: no human turn",
            $"{path}: 2 of 5 records are left out: no turns", $"{path}: no prompt is made of \"lang\"",
        }));
    }

    [Test]
    public void NullIsCalledNull()
    {
        var path = _scratch.File("null.jsonl", "{\"prompt\": \"Once upon\"}\n{\"prompt\": null}\n");
        Assert.That(() => DatasetCatalog.Load(null, path, 0, null, null), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:2: record 1 ").And.Message.Contains("has a \"prompt\" that is null"));
    }

    /// <summary>Beginnings of files as PowerShell, gzip, Parquet, Git LFS and a login page make them.</summary>
    [TestCase(new byte[] { 0xFF, 0xFE, 0x7B, 0, 0x22, 0 }, "UTF-16", "iconv")]
    [TestCase(new byte[] { 0x1F, 0x8B, 8, 0, 0, 0 }, "gzip", "fetch")]
    [TestCase(new byte[] { (byte)'P', (byte)'A', (byte)'R', (byte)'1', 21, 4 }, "Parquet", "fetch")]
    [TestCase(new byte[] { (byte)'<', (byte)'h', (byte)'t', (byte)'m', (byte)'l', (byte)'>' }, "web page", "fetch")]
    public void AFileOfAnotherKindIsCalledByItsName(byte[] content, string name, string remedy)
    {
        var path = _scratch["data.jsonl"];
        File.WriteAllBytes(path, content);
        Refused(null, path, name);
        Assert.That(() => DatasetCatalog.Load("jsonl", path, 0, null, null),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(name).And.Message.Contains(remedy));
    }

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
        var prompts = DatasetCatalog.Load("gsm8k", path, shots: 0, limit: 3, seed: 42).Prompts;
        Assert.That(prompts.Select(p => p.Index), Is.EqualTo(new[] { 978, 211, 368 })); // as PromptSelectionTests has them
    }
}
