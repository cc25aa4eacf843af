using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Checkpoints;
using Harness.Running;
using Harness.Tests.EndToEnd;
using Harness.Tests.Models.Llama;
using Harness.Tests.Models.Llama.Templates;
using Harness.Tests.Models.Llama.Tokenizers;

namespace Harness.Tests.Running;

/// <summary>
/// Prompts by a checkpoint's chat template: Llama 3's, over a rank list of the 256 bytes, whose ids are the bytes. 256 is begin-of-text,
/// 257 end-of-text, 262 and 263 stand around a role, 265 ends a turn (the order of Meta's list of special tokens).
/// </summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class PromptFormTests : IDisposable
{
    private const int Begin = 256, End = 257, RoleBegins = 262, RoleEnds = 263, TurnEnds = 265;

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void ARunAsksAQuestionInTheFormOfItsCheckpoint()
    {
        Checkpoint();
        var run = Run(Gsm("Tim has 2 dogs.", "How many <|eot_id|>?"), ("Dataset:System", "Be brief."));
        Assert.That(run.Prompts.Select(row => row["input_tokens"]), Is.EqualTo(new[]
        {
            Ids(("system", "Be brief."), ("user", "Tim has 2 dogs.")).Length.ToString(),
            (Ids(("system", "Be brief."), ("user", "How many ?")).Length + 1).ToString(),
        }));
        Assert.That((string)run.Responses[0]["prompt"]!, Is.EqualTo(
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
            + "<|start_header_id|>user<|end_header_id|>\n\nTim has 2 dogs.<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"));
        var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_scratch["model", "chat_template.jinja"])));
        var said = run.Manifest["prompts"]!;
        Assert.That(new[] { "form", "file", "sha256", "system", "today" }.Select(key => (string)said[key]!), Is.EqualTo(
            new[] { "template", _scratch["model", "chat_template.jinja"], digest, "Be brief.", "2024-07-26" }));
        Assert.That((run.Summary["task"], run.Summary["chat_template"], run.Summary["system_prompt"]), Is.EqualTo(("template", digest[..12],
            Convert.ToHexStringLower(SHA256.HashData("Be brief."u8))[..12])));
    }

    [Test]
    public void TheIdsAreThoseOfTheRendering()
    {
        Checkpoint();
        var set = Load(Gsm("Tim has 2 dogs."));
        Assert.That(set.Workload.Items.Single().Tokens, Is.EqualTo(Ids(("user", "Tim has 2 dogs."))));
        Assert.That(set.Workload.EndOfText, Is.EquivalentTo(new[] { End, TurnEnds }));
        Assert.That(set.Form.Notes, Has.Exactly(1).Contains("prompts are rendered by the chat template of").And.Exactly(1)
            .Contains("chat_template.jinja"));
    }

    [TestCase("zephyr-7b-beta", 1)]
    [TestCase("llama-3-8b-instruct", 0)]
    public void ATemplateWithoutBeginningOfTextIsNamed(string template, int lines)
    {
        Checkpoint(template);
        var set = Load(Gsm("A?"));
        Assert.That(set.Form.Notes, Has.Exactly(lines).Contains("renders no beginning-of-text, which plain prompts have (256)"));
        Assert.That(set.Workload.Items[0].Tokens.Count(id => id == Begin), Is.EqualTo(1 - lines));
    }

    [Test]
    public void WorkedExamplesAreTurns()
    {
        Checkpoint();
        var file = Gsm("Two and two?");
        _scratch.File("test-train.jsonl", """{"question": "One and one?", "answer": "1+1=<<1+1=2>>2\n#### 2"}""");
        Assert.That(Load(file, ("Dataset:Shots", "1")).Workload.Items.Single().Tokens, Is.EqualTo(
            Ids(("user", "One and one?"), ("assistant", "1+1=2\n#### 2"), ("user", "Two and two?"))));
    }

    [Test]
    public void AConversationIsAskedWhole()
    {
        Checkpoint();
        (string Role, string Text)[] turns = [("system", "S"), ("user", "A"), ("assistant", "B"), ("user", "C"), ("assistant", "D")];
        var messages = turns.Select(turn => $$"""{"role": "{{turn.Role}}", "content": "{{turn.Text}}"}""");
        var file = _scratch.File("c.jsonl", $$"""{"id": "x", "messages": [{{string.Join(", ", messages)}}]}""");
        var set = Load(file);
        Assert.That(set.Workload.Items.Single().Tokens, Is.EqualTo(Ids(turns[..4])));
        Assert.That((set.Prompts[0].Id, set.Prompts[0].ReferenceOutput), Is.EqualTo(("x", "D")));
        Assert.That(() => Load(file, ("Dataset:Task", "plain")), Throws.TypeOf<UserErrorException>().With.Message
            .StartsWith("c.jsonl:1 is a conversation of 4 messages, which only a chat template can ask"));
        Assert.That(() => Load(file, ("Dataset:System", "T")), Throws.TypeOf<UserErrorException>().With.Message
            .StartsWith("c.jsonl:1: the conversation has a system prompt of its own"));
    }

    [Test]
    public void AWholePromptIsAskedAsItIsUnlessTheTemplateIsAskedFor()
    {
        Checkpoint();
        var file = _scratch.File("p.jsonl", """{"prompt": "Hi"}""");
        var set = Load(file);
        Assert.That(set.Workload.Items.Single().Tokens, Is.EqualTo(new[] { Begin, 'H', 'i' }));
        Assert.That(set.Workload.EndOfText, Is.EquivalentTo(new[] { End }));
        Assert.That(set.Form.Notes.Single(), Does.Contain("p.jsonl:1 is a whole prompt; --task template renders it"));
        Assert.That(Load(file, ("Dataset:Task", "template")).Workload.Items.Single().Tokens, Is.EqualTo(Ids(("user", "Hi"))));
    }

    [TestCase("Dataset:Task", "plain")]
    [TestCase("Dataset:InputTokens", "40")]
    public void WithoutTheTemplateItIsTheDataSetsForm(string key, string value)
    {
        Checkpoint();
        var set = Load(Gsm("Tim has 2 dogs, and Tom has more?"), (key, value));
        Assert.That(set.Workload.Items.Single().Tokens.Take(40), Is.EqualTo(
            new[] { Begin }.Concat("Question: Tim has 2 dogs, and Tom has more?\nAnswer:".Select(c => (int)c)).Take(40)));
        Assert.That(set.Form.Task, Is.Null);
    }

    [Test]
    public void ABaseModelIsAskedAsBefore()
    {
        Checkpoint(template: null);
        var set = Load(Gsm("A?"));
        Assert.That(set.Workload.Items.Single().Tokens, Is.EqualTo(new[] { Begin }.Concat("Question: A?\nAnswer:".Select(c => (int)c))));
        Assert.That((set.Form.Task, set.Form.Notes.Count), Is.EqualTo(((string?)null, 0)));
    }

    [TestCase("Dataset:Task", "template", "--task template needs a chat template, and ")]
    [TestCase("Dataset:System", "Be brief.", "--system needs a chat template, and ")]
    public void WhatNeedsATemplateIsRefusedWithoutOne(string key, string value, string message)
    {
        Checkpoint(template: null);
        Assert.That(() => Load(Gsm("A?"), (key, value)), Throws.TypeOf<UserErrorException>().With.Message.StartsWith(message)
            .And.Message.Contains("chat_template.jinja").And.Message.Not.Contains("\n"));
    }

    [TestCase("chat", "Dataset:System", "x", "--task chat does without")]
    [TestCase("plain", "Dataset:System", "x", "--task plain does without")]
    [TestCase("template", "Dataset:System", " ", "a text, or nothing, is expected")]
    [TestCase("template", "Dataset:InputTokens", "9", "0 beside --task template")]
    [TestCase("instruct", "Dataset:Shots", "1", "0 beside --task instruct")]
    public void WhatDoesNotGoWithATaskIsRefused(string task, string key, string value, string message) =>
        Assert.That(() => Configuration("x", ("Dataset:Task", task), (key, value)),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(message));

    [Test]
    public void MicrosoftsTokenizersAreRefusedForATemplate()
    {
        Checkpoint();
        Assert.That(() => Load(Gsm("A?"), ("Model:TokenizerLibrary", "ml")), Throws.TypeOf<UserErrorException>().With.Message
            .Contains("--tokenizer-library ml finds no special tokens").And.Message.Contains("--task plain"));
    }

    [Test]
    public void NamesOfSpecialTokensInPromptsAreCounted()
    {
        Checkpoint();
        var set = Load(Gsm("A?", "B<|eot_id|>?", "<|begin_of_text|>"));
        Assert.That(set.Form.Notes, Has.One.EqualTo("the name of a special token stands in 2 of 3 prompts and becomes that token, as in "
            + "transformers: first <|eot_id|> in test.jsonl:2"));
        Assert.That(set.Workload.Items[1].Tokens.Count(id => id == TurnEnds), Is.EqualTo(2));
    }

    private void Checkpoint(string? template = "llama-3-8b-instruct")
    {
        new TinyCheckpoint { Vocabulary = 512 }.Write(_scratch);
        _scratch.File("model/tokenizer.model", TokenizerFixtures.SmallRankList());
        _scratch.File("model/generation_config.json", """{"eos_token_id": 257}""");
        _scratch.File("model/tokenizer_config.json", """{"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}""");
        if (template != null) File.Copy(TemplateFixtures.Path($"{template}.jinja"), _scratch["model", "chat_template.jinja"]);
    }

    private string Gsm(params string[] questions) => _scratch.File("test.jsonl",
        string.Join('\n', questions.Select(question => $$"""{"question": "{{question}}", "answer": "#### 1"}""")));

    /// <summary>Llama 3's form by hand.</summary>
    private static int[] Ids(params (string Role, string Text)[] turns) =>
    [
        Begin,
        .. turns.SelectMany(turn => (int[])[.. Head(turn.Role), .. Encoding.UTF8.GetBytes(turn.Text), TurnEnds]),
        .. Head("assistant"),
    ];

    private static int[] Head(string role) => [RoleBegins, .. Encoding.UTF8.GetBytes(role), RoleEnds, '\n', '\n'];

    private PromptSet Load(string data, params (string Key, string Value)[] settings) =>
        PromptSet.Load(Configuration(data, settings).Options, new SyntheticCheckpoint("synthetic:7b").Config, new NoProgress());

    private RunOutput Run(string data, params (string Key, string Value)[] settings)
    {
        using var stop = new StopSignal();
        var configuration = Configuration(data, settings);
        Assert.That(Ranks.Run(configuration.Options.Sharding, threads: 1, new RunJob(configuration, stop).Execute), Is.Zero);
        return new(_scratch["out", "run"]);
    }

    private ResolvedConfiguration Configuration(string data, params (string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            ["Model:Path"] = _scratch["model"],
            ["Dataset:Path"] = data,
            ["Repeats:Warmup"] = "0",
            ["Generation:MaxNewTokens"] = "2",
            ["Energy:Meter"] = "none",
            ["Output:Directory"] = _scratch["out"],
            ["Output:Name"] = "run",
        };
        foreach (var (key, value) in settings) all[key] = value;
        return new(null, all);
    }
}
