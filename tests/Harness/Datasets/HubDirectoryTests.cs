using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

/// <summary>Directories as openai/gsm8k, tatsu-lab/alpaca and a hub's cache and converter lay them out.</summary>
[TestFixture]
public sealed class HubDirectoryTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    private void Gsm(params string[] files)
    {
        foreach (var file in files) _scratch.File(file, $$"""{"question": "{{Path.GetFileName(file)}}", "answer": "#### 1"}""");
    }

    private static LoadedPrompts Load(string path, int shots = 0) => DatasetCatalog.Load(null, path, shots, null, null);

    [Test]
    public void OfGsm8kTheTestSplitOfMainIsRead()
    {
        Gsm("main/test-00000-of-00001.jsonl", "main/train-00000-of-00001.jsonl", "socratic/test-00000-of-00001.jsonl");
        _scratch.File("README.md", "---\nconfigs: []\n---");
        _scratch.File("main/dataset_info.json", "{}");
        _scratch.File(".cache/huggingface/x.json", "{}");
        var loaded = Load(_scratch.Path);
        Assert.That(loaded.Prompts.Select(p => p.Question), Is.EqualTo(new[] { "test-00000-of-00001.jsonl" }));
        Assert.That(loaded.Notes.Single(), Is.EqualTo($"{_scratch.Path}: split test of main is read, main/test-00000-of-00001.jsonl; "
            + "also there: main/train, socratic/test"));
    }

    [TestCase("main", "test-00000-of-00001.jsonl")]
    [TestCase("socratic", "train-00000-of-00001.jsonl")]
    [TestCase("main/train", "train-00000-of-00001.jsonl")]
    [TestCase("train", "train-00000-of-00001.jsonl")]
    [TestCase("main/train-00000-of-00001.jsonl", "train-00000-of-00001.jsonl")]
    public void AnotherConfigurationOrSplitIsNamedByItsPath(string path, string question)
    {
        Gsm("main/test-00000-of-00001.jsonl", "main/train-00000-of-00001.jsonl", "socratic/train-00000-of-00001.jsonl");
        Assert.That(Load(_scratch[path]).Prompts.Single().Question, Is.EqualTo(question));
    }

    [Test]
    public void WorkedExamplesComeFromTheTrainingSplit([Values("", "main", "main/test-00000-of-00001.jsonl")] string path)
    {
        Gsm("main/test-00000-of-00001.jsonl", "main/train-00000-of-00002.jsonl", "main/train-00001-of-00002.jsonl");
        Assert.That(Load(_scratch[path], shots: 2).Prompts.Single().Before.Select(turn => turn.Content), Is.EqualTo(new[]
        {
            "train-00000-of-00002.jsonl", "#### 1", "train-00001-of-00002.jsonl", "#### 1",
        }));
    }

    [Test]
    public void OfTheTrainingSplitAQuestionIsNotItsOwnExample([Values("main/train", "main/train-00000-of-00001.jsonl")] string path)
    {
        _scratch.File("main/train-00000-of-00001.jsonl", """
            {"question": "a", "answer": "#### 1"}
            {"question": "b", "answer": "#### 2"}
            """);
        Assert.That(Load(_scratch[path], shots: 1).Prompts.Select(p => (p.Question, p.Before[0].Content)),
            Is.EqualTo(new[] { ("a", "b"), ("b", "a") }));
    }

    [Test]
    public void ShardsAreReadInOrderAndCountedOn()
    {
        foreach (var i in new[] { 2, 0, 1 })
            _scratch.File($"data/train-0000{i}-of-00003-a09b74b3ef9c3b56.jsonl", $$"""
                {"instruction": "{{i}}a"}
                {"instruction": "{{i}}b"}
                """);
        var loaded = Load(_scratch.Path);
        Assert.That(loaded.Prompts.Select(p => (p.Index, p.Question)),
            Is.EqualTo(new[] { (0, "0a"), (1, "0b"), (2, "1a"), (3, "1b"), (4, "2a"), (5, "2b") }));
        Assert.That(loaded.Files!.Paths.Select(path => Path.GetFileName(path)[..11]),
            Is.EqualTo(new[] { "train-00000", "train-00001", "train-00002" }));
        Assert.That(loaded.Prompts[3].Source, Is.EqualTo("train-00001-of-00003-a09b74b3ef9c3b56.jsonl:2"));
        Assert.That(loaded.Notes.Single(), Does.Contain(
            "3 files from data/train-00000-of-00003-a09b74b3ef9c3b56.jsonl to data/train-00002-of-00003-a09b74b3ef9c3b56.jsonl"));

        var shard = _scratch["data", "train-00001-of-00003-a09b74b3ef9c3b56.jsonl"];
        Assert.That(Load(shard).Notes.Single(), Is.EqualTo($"{shard} is one shard of 3; its directory, with --data, is all of them"));
    }

    [Test]
    public void AMissingShardIsNamed([Values(0, 1, 2)] int missing)
    {
        Gsm([.. Enumerable.Range(0, 3).Where(i => i != missing).Select(i => $"main/test-0000{i}-of-00003.jsonl")]);
        Refused(_scratch.Path, $"{_scratch["main"]} lacks shard {missing} of 3 (counted from 0) of split test");
    }

    [Test]
    public void TwoSetsOfShardsAreNotOne()
    {
        Gsm("main/test-00000-of-00001.jsonl", "main/test-00000-of-00002.jsonl", "main/test-00001-of-00002.jsonl");
        Refused(_scratch.Path, "are both split test; name one with --data");
    }

    [Test]
    public void ACacheIsReadAtTheRevisionOfItsMain()
    {
        Gsm("datasets--openai--gsm8k/snapshots/aaa/main/test.jsonl");
        Assert.That(Load(_scratch["datasets--openai--gsm8k"]).Prompts, Has.Count.EqualTo(1));
        _scratch.File("datasets--openai--gsm8k/snapshots/bbb/main/test.jsonl", """{"question": "new", "answer": "#### 1"}""");
        Refused(_scratch["datasets--openai--gsm8k"], "holds more than one revision");
        _scratch.File("datasets--openai--gsm8k/refs/main", "bbb\n");
        Assert.That(Load(_scratch["datasets--openai--gsm8k"]).Prompts.Single().Question, Is.EqualTo("new"));
    }

    [Test]
    public void FilesOfAConverterAreShardsWithoutACount()
    {
        Gsm("default/train/0000.jsonl", "default/train/0001.jsonl", "default/test/0000.jsonl");
        Assert.That(Load(_scratch.Path).Prompts.Single().Question, Is.EqualTo("0000.jsonl"));
        Assert.That(Load(_scratch["default", "train"]).Prompts.Select(p => p.Question), Is.EqualTo(new[] { "0000.jsonl", "0001.jsonl" }));
    }

    [Test]
    public void WhatCannotBeToldIsAskedFor()
    {
        _scratch.File("own/dev.jsonl", """{"prompt": "a"}""");
        _scratch.File("own/test.json", """{"prompt": "b"}""");
        Refused(_scratch["own"], $"has the splits dev, test; name one: --data {_scratch["own", "dev"]}");
        Assert.That(Load(_scratch["own", "test"]).Prompts.Single().Text, Is.EqualTo("b"));
        Refused(_scratch["own", "c"], $"there is no dataset at {_scratch["own", "c"]}");
        Gsm("x/validation.jsonl.gz", "y/validation.jsonl.gz");
        Refused(_scratch.Path, "has own, x, y; name one: --data");
        _scratch.File("loose/a.jsonl", """{"prompt": "a"}""");
        Refused(_scratch["loose"], "holds no dataset that can be told by its file name");
    }

    private static void Refused(string path, string message) =>
        Assert.That(() => Load(path), Throws.TypeOf<UserErrorException>().With.Message.Contains(message).And.Message.Not.Contains("\n"));
}
