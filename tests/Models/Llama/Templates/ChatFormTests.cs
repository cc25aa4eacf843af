using System.Text;
using Harness.Common;
using Harness.Models.Llama.Templates;
using Harness.Models.Llama.Tokenizers;
using Harness.Tests.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Templates;

[TestFixture, Parallelizable(ParallelScope.All)]
public sealed class ChatFormTests
{
    private static readonly ChatMessage s_question = new("user", " Why? ");

    [Test]
    public void ASystemPromptStandsInFrontOfEveryConversation() =>
        Assert.That(Form("zephyr-7b-beta", " Be brief.").Render([s_question]), Is.EqualTo(
            "<|system|>\n Be brief.</s>\n<|user|>\n Why? </s>\n<|assistant|>\n"));

    [Test]
    public void ATemplateMayTrimWhatItRenders() =>
        Assert.That(Form("llama-3-8b-instruct", "Be brief.\n").Render([s_question]), Does.Contain("\n\nBe brief.<|eot_id|>")
            .And.Contain("\n\nWhy?<|eot_id|>"));

    [TestCase("mistral-7b-instruct-v0.3", "renders no system prompt: --system would have no effect")]
    [TestCase("mistral-7b-instruct-v0.1", "refuses what it is asked to render")]
    public void ATemplateWithoutAPlaceForASystemPromptIsRefusedOne(string template, string message) =>
        Assert.That(() => Form(template, "Be brief."), Throws.TypeOf<UserErrorException>().With.Message.Contains(message)
            .And.Message.Contains("--system").And.Message.Not.Contains("\n"));

    /// <summary>Also where the system prompt's words happen to stand elsewhere in the rendering.</summary>
    [Test]
    public void WordsOfTheTemplateAreNoSystemPrompt() =>
        Assert.That(() => Form("mistral-7b-instruct-v0.3", "INST"), Throws.TypeOf<UserErrorException>());

    [Test]
    public void TwoSystemPromptsAreRefused() =>
        Assert.That(() => Form("zephyr-7b-beta", "Be brief.").Render([new("system", "Rhyme."), s_question]),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("a system prompt of its own"));

    [Test]
    public void AMessageThatTheTemplateDropsIsNamed() =>
        Assert.That(() => Form("mistral-7b-instruct-v0.3", "").Render([new("system", "Rhyme."), s_question]),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("does not render what the system says"));

    /// <summary>Llama 3's first checkpoints name one end for generation and another for turns.</summary>
    [Test]
    public void ATurnsEndEndsAnAnswerToo()
    {
        var directory = Directory.CreateTempSubdirectory("harness-test-").FullName;
        try
        {
            File.WriteAllText(Path.Combine(directory, "tokenizer.model"), TokenizerFixtures.SmallRankList());
            File.WriteAllText(Path.Combine(directory, "generation_config.json"), """{"eos_token_id": [257, 264]}""");
            File.WriteAllText(Path.Combine(directory, "tokenizer_config.json"), """{"eos_token": "<|eot_id|>", "chat_template": "x"}""");
            var tokenizer = TokenizerLoader.Load(directory);
            var form = new ChatForm(ChatTemplate.Find(directory)!, tokenizer.Rendered!, "");
            Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { 257, 264 }));
            Assert.That(form.Ends(tokenizer.EndOfText), Is.EquivalentTo(new[] { 257, 264, 265 }));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static ChatForm Form(string template, string system) => new(TemplateFixtures.Template(
        File.ReadAllText(TemplateFixtures.Path($"{template}.jinja")), ("bos_token", "<s>"), ("eos_token", "</s>")), new Bytes(), system);

    private sealed class Bytes : IRenderedTexts
    {
        public int? EndOfTurn => null;
        public int[] Encode(string text) => [.. Encoding.UTF8.GetBytes(text)];
        public string? SpecialTokenIn(string text) => null;
    }
}
