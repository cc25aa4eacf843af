using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class OtherSourcesTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void SetUp() => _scratch = new ScratchDirectory();

    [TearDown]
    public void TearDown() => _scratch.Dispose();

    [Test]
    public void ShareGptGivesFirstHumanTurnsAndKeepsIndexes()
    {
        var path = _scratch.File("sharegpt.json", """
            [
              {"id": "a", "conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Hello there."}]},
              {"id": "b", "conversations": [{"from": "gpt", "value": "Continued"}, {"from": "human", "value": "Go on"}, {"from": "gpt", "value": "On."}]},
              {"id": "c", "conversations": []},
              {"id": 4, "conversations": [{"from": "user", "value": " As typed \n"}]}
            ]
            """);
        var prompts = new ShareGptPrompts(path).Read().ToList();
        Assert.That(prompts, Is.EqualTo(new[]
        {
            new Prompt { Index = 0, Dataset = "sharegpt", Text = "Hi?", Question = "Hi?", Source = "sharegpt.json:2", Id = "a",
                ReferenceOutput = "Hello there." },
            new Prompt { Index = 1, Dataset = "sharegpt", Text = "Go on", Question = "Go on", Source = "sharegpt.json:3", Id = "b",
                ReferenceOutput = "On." },
            new Prompt { Index = 3, Dataset = "sharegpt", Text = " As typed \n", Question = " As typed \n", Source = "sharegpt.json:5",
                Id = "4" },
        }));
    }

    [TestCase(1, new string[0])]
    [TestCase(2, new[] { "B" })]
    [TestCase(3, new[] { "B", "C" })]
    [TestCase(9, new[] { "B", "C" }, TestName = "{m}(up to an empty one)")]
    public void ShareGptGivesLaterHumanTurns(int turns, string[] later)
    {
        var path = _scratch.File("sharegpt.json", """
            [{"conversations": [{"from": "gpt", "value": "x"}, {"from": "human", "value": "A"}, {"from": "gpt", "value": "y"},
              {"from": "human", "value": "B"}, {"from": "human", "value": "C"}, {"from": "gpt", "value": ""},
              {"from": "human", "value": ""}, {"from": "human", "value": "D"}]}]
            """);
        var prompt = new ShareGptPrompts(path, turns).Read().Single();
        Assert.That((prompt.Question, prompt.ReferenceOutput), Is.EqualTo(("A", "y")));
        Assert.That(prompt.Later, Is.EqualTo(later));
    }

    [TestCase("[{\"id\": \"a\"}]", "no list of \"conversations\"")]
    [TestCase("[{\"conversations\": [{\"from\": \"human\"}]}]", "a turn without")]
    [TestCase("[{\"conversations\": [{\"from\": \"system\", \"value\": \"Rhyme.\"}, {\"from\": \"human\", \"value\": \"Hi\"}]}]",
        "a system turn")]
    [TestCase("[{\"system\": \"Rhyme.\", \"conversations\": [{\"from\": \"human\", \"value\": \"Hi\"}]}]", "has \"system\"")]
    public void AMalformedConversationIsNamed(string content, string what)
    {
        var path = _scratch.File("sharegpt.json", content);
        Assert.That(() => new ShareGptPrompts(path).Read().ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:1: record 0 ").And.Message.Contains(what));
    }

    [Test]
    public void JsonLinesOfTheUsersOwn()
    {
        var path = _scratch.File("mine.jsonl", """
            {"prompt": "One and one?", "category": "sums", "answer": 2, "id": 17}
            {"prompt": "Capital of France?", "answer": "Paris"}
            {"prompt": "Explain.", "answer": "Well.\n#### 1,000"}
            {"prompt": ""}
            """);
        var prompts = new JsonLinesPrompts(path).Read().ToList();
        Assert.That(prompts, Is.EqualTo(new[]
        {
            new Prompt { IsQuestion = false, Index = 0, Dataset = "jsonl", Text = "One and one?", Question = "One and one?",
                Source = "mine.jsonl:1", Id = "17", Category = "sums", ReferenceAnswer = "2", ReferenceOutput = "2" },
            new Prompt { IsQuestion = false, Index = 1, Dataset = "jsonl", Text = "Capital of France?", Question = "Capital of France?",
                Source = "mine.jsonl:2", ReferenceOutput = "Paris" },
            new Prompt { IsQuestion = false, Index = 2, Dataset = "jsonl", Text = "Explain.", Question = "Explain.",
                Source = "mine.jsonl:3", ReferenceAnswer = "1,000", ReferenceOutput = "Well.\n#### 1,000" },
            new Prompt { IsQuestion = false, Index = 3, Dataset = "jsonl", Text = "", Question = "", Source = "mine.jsonl:4" },
        }));
    }

    [TestCase("""{"messages": "Hi"}""", "no list of \"messages\"")]
    [TestCase("""{"messages": []}""", "no question of the user")]
    [TestCase("""{"messages": [{"role": "system", "content": "S"}]}""", "no question of the user")]
    [TestCase("""{"messages": [{"role": "user"}]}""", "a message without")]
    [TestCase("""{"messages": [{"role": "tool", "content": "x"}]}""", "of the role \"tool\"")]
    [TestCase("""{"messages": [{"role": "user", "content": ["x"]}]}""", "an array as its \"content\"")]
    [TestCase("""{"messages": [{"role": "user", "content": "x", "tool_calls": [1]}]}""", "has \"tool_calls\" in a message")]
    [TestCase("""{"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "x"}, {"role": "user", "content": "x"}]}""",
        "a system message behind")]
    [TestCase("""{"messages": [{"role": "user", "content": "x"}], "prompt": "y"}""", "has \"messages\"")]
    [TestCase("""{"messages": [{"role": "user", "content": "x"}], "tools": [1]}""", "has \"tools\"")]
    public void AMalformedListOfMessagesIsNamed(string content, string what)
    {
        var path = _scratch.File("mine.jsonl", content);
        Assert.That(() => new JsonLinesPrompts(path).Read().ToList(), Throws.TypeOf<UserErrorException>()
            .With.Message.StartWith($"{path}:1: record 0 ").And.Message.Contains(what));
    }

    [Test]
    public void AListOfMessagesIsToldFromTheFile()
    {
        var path = _scratch.File("c.jsonl", """{"messages": [{"role": "user", "content": "Hi"}], "answer": 3}""");
        var prompt = DatasetCatalog.Open(null, path).Read().Single();
        Assert.That((prompt.Text, prompt.HasText, prompt.IsQuestion, prompt.ReferenceAnswer), Is.EqualTo(("Hi", true, true, "3")));
    }

    [Test]
    public void TheDemoTakesTurns()
    {
        _scratch.File("alpaca.json", """[{"instruction": "A", "output": "a"}, {"instruction": "B"}, {"instruction": "C"}]""");
        _scratch.File("gsm8k.jsonl", """{"question": "P", "answer": "#### 1"}""");
        var prompts = new DemoPrompts(_scratch.Path, 0, null).Read().ToList();
        Assert.That(prompts.Select(p => (p.Index, p.Dataset, p.Category)), Is.EqualTo(new[]
        {
            (0, "demo", "alpaca"), (1, "demo", "gsm8k"), (2, "demo", "alpaca"), (3, "demo", "alpaca"),
        }));
        Assert.That(prompts[1].Text, Is.EqualTo("Question: P\nAnswer:"));
        Assert.That(prompts[1].ReferenceAnswer, Is.EqualTo("1"));
    }
}
