using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class GsmPromptsTests
{
    private const string Digest0 = "68a1fcd692d8a9c995a551609459fb3691ff233a64652fec18ff4c1b26845516";

    // Digests of a Python program: json, re.sub(r'<<.*?>>', '', answer), the selection written out from its definition.
    [TestCase("test.jsonl", 0, null, 1319, Digest0)]
    [TestCase("test.jsonl", 0, 7L, 1319, Digest0)]
    [TestCase("test.jsonl", 3, 7L, 1319, "33b3d7b113665832ca55c39e0aba277949c650242460ecf8b062cb9d034eb4de")]
    [TestCase("test.jsonl", 2, null, 1319, "a05fbbeccf38ddbed63510c6f924f045648030bcd8c883d6f14e7bab6c5de708")]
    [TestCase("train.jsonl", 2, null, 7473, "a13add94352e7703bb5a37bbd13188330c8583dcaafcb496eaa6a51bfa7a07f8")]
    public void AllRecordsAsPythonRendersThem(string file, int shots, long? seed, int count, string digest)
    {
        var prompts = new GsmPrompts(SharedData.Path("data", "gsm8k", file), shots, seed).Read().ToList();
        Assert.That(prompts, Has.Count.EqualTo(count));
        Assert.That(Digest.Of(prompts), Is.EqualTo(digest));
    }

    [Test]
    public void WorkedExamplesStandInFrontWithoutCalculatorAnnotations()
    {
        using var scratch = new ScratchDirectory();
        var test = scratch.File("gsm8k.jsonl", """{"question": "How many?", "answer": "It is 1+1=<<1+1=2>>2.\n#### 2"}""");
        scratch.File("gsm8k-train.jsonl", """
            {"question": "How many?", "answer": "A copy of the question.\n#### 2"}
            {"question": "And 48 halves?", "answer": "48/2 = <<48/2=24>>24.\n#### 24"}
            {"question": "Never reached", "answer": "#### 1"}
            """);
        var prompt = new GsmPrompts(test, shots: 1, seed: null).Read().Single();
        Assert.That(prompt.Text, Is.EqualTo("Question: And 48 halves?\nAnswer: 48/2 = 24.\n#### 24\n\nQuestion: How many?\nAnswer:"));
        Assert.That(prompt.ReferenceAnswer, Is.EqualTo("2"));
        Assert.That(prompt.ReferenceOutput, Is.EqualTo("It is 1+1=<<1+1=2>>2.\n#### 2"));
        Assert.That(prompt.Source, Is.EqualTo("gsm8k.jsonl:1"));
    }

    [Test]
    public void WithoutTheTrainingFileTheRemedyIsNamed()
    {
        using var scratch = new ScratchDirectory();
        var test = scratch.File("test.jsonl", """{"question": "q", "answer": "#### 2"}""");
        Assert.That(() => new GsmPrompts(test, 4, null).Read().ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.Contains("4 worked examples").And.Message.Contains("train.jsonl"));
    }

    [Test]
    public void ASolutionWithoutItsMarkerIsMalformed()
    {
        using var scratch = new ScratchDirectory();
        var test = scratch.File("test.jsonl",
            "{\"question\": \"q\", \"answer\": \"#### 2\"}\n{\"question\": \"q\", \"answer\": \"two\"}\n");
        Assert.That(() => new GsmPrompts(test, 0, null).Read().ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{test}:2: record 1 ").And.Message.Contains("#### number"));
    }
}
