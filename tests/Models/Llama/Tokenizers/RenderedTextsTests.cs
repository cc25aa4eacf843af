using Harness.Common;
using Harness.MLTokenizers;
using Harness.Models.Llama.Tokenizers;
using Harness.Tests.Models.Llama.Templates;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>Special tokens in what a chat template rendered, by every kind of tokenizer.</summary>
[TestFixture, Parallelizable(ParallelScope.All)]
public sealed class RenderedTextsTests
{
    private const string Turn = "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>";

    /// <summary>Meta's own ids of a turn: user 882, two line feeds 271, Hello 9906, assistant 78191.</summary>
    [Test]
    public void Llama3sTurnsAreItsOwnIds()
    {
        var tokenizer = Own("shared/tokenizers/llama3", CheckpointTokens.None);
        int[] expected = [128000, 128006, 882, 128007, 271, 9906, 128009, 128006, 78191, 128007, 271];
        Assert.That(tokenizer.Rendered!.Encode($"<|begin_of_text|>{Turn}<|start_header_id|>assistant<|end_header_id|>\n\n"),
            Is.EqualTo(expected), "begin-of-text once");
        Assert.That(tokenizer.Rendered.Encode(Turn), Is.EqualTo(expected[1..7]), "none that the template does not render");
        Assert.That(tokenizer.Encode(Turn, addBeginOfText: false), Does.Not.Contain(128006), "a text that no template rendered");
    }

    /// <summary>Llama 2's ids of [INST] and [/INST] behind a space, as its published prompts have them: 518, 25580, 29962.</summary>
    [Test]
    public void Llama2sControlPiecesAreFound()
    {
        var tokenizer = Own("shared/tokenizers/llama2", new() { SpaceBehindAdded = true });
        int[] instruction = [1, 518, 25580, 29962, 15043, 29892, 518, 29914, 25580, 29962];
        Assert.That(tokenizer.Rendered!.Encode("<s>[INST] Hello, [/INST]"), Is.EqualTo(instruction));
        Assert.That(tokenizer.Rendered.Encode("<s>[INST] Hello, [/INST]</s><unk>"), Is.EqualTo(instruction.Append(2).Append(0)));
        Assert.That(tokenizer.Encode("<s>", addBeginOfText: false), Does.Not.Contain(1));
        var modern = Own("shared/tokenizers/llama2", CheckpointTokens.None);
        Assert.That(modern.Rendered!.Encode("<s>[INST]"), Is.EqualTo(new[] { 1, 29961, 25580, 29962 }), "legacy false: no space");
    }

    /// <summary>Renderings of published templates, by a tokenizer.json of LLaMA 2's kind: the ids of @huggingface/tokenizers.</summary>
    [Test]
    public void ATokenizerJsonGivesTheReferencesIds()
    {
        var reference = TemplateFixtures.Json("ids.json");
        var tokenizer = TokenizerFixtures.Kind(reference.GetProperty("tokenizer").GetString()!);
        var texts = TemplateFixtures.Renderings.GetProperty("models").EnumerateArray()
            .ToDictionary(model => model.GetProperty("name").GetString()!, model => model.GetProperty("renderings"));
        Assert.Multiple(() =>
        {
            foreach (var one in reference.GetProperty("renderings").EnumerateArray())
            {
                var (model, conversation) = (one.GetProperty("model").GetString()!, one.GetProperty("conversation").GetString()!);
                Assert.That(tokenizer.Rendered!.Encode(texts[model].GetProperty(conversation).GetString()!),
                    Is.EqualTo(one.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())), $"{model}, {conversation}");
            }
        });
    }

    /// <summary>transformers adds bos_token and its like to the tokens that it finds, wherever they have an id.</summary>
    [Test]
    public void ANamedTokenOfTheVocabularyIsFound()
    {
        var json = TokenizerFixtures.ByteLevelJson("gpt2");
        json["model"]!["vocab"]!["<|turn|>"] = 900;
        var tokenizer = TokenizerFixtures.Build(json, new() { EndToken = "<|turn|>", Named = Named("eos_token", "<|turn|>") });
        var text = tokenizer.Encode("a", addBeginOfText: false);
        Assert.That(tokenizer.Rendered.Encode("a<|turn|>a"), Is.EqualTo(text.Append(900).Concat(text)));
        Assert.That((tokenizer.Rendered.EndOfTurn, tokenizer.Rendered.SpecialTokenIn("a<|turn|>"), tokenizer.Rendered.SpecialTokenIn("a")),
            Is.EqualTo(((int?)900, "<|turn|>", (string?)null)));
    }

    [Test]
    public void ANamedTokenWithoutAnIdIsRefusedWhereItIsRendered()
    {
        var tokenizer = Own("plain", new() { Named = Named("pad_token", "<|pad|>") });
        Assert.That(tokenizer.Rendered!.Encode("how"), Is.EqualTo(tokenizer.Encode("how", addBeginOfText: false)));
        Assert.That(() => tokenizer.Rendered.Encode("how<|pad|>"),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("special token <|pad|>, which has no id"));
    }

    [Test]
    public void MicrosoftsTokenizersFindNone() =>
        Assert.That(new MLTokenizerFactory().Create(TokenizerFixtures.File("shared/tokenizers/llama2")).Rendered, Is.Null);

    private static Dictionary<string, string> Named(string key, string token) => new() { [key] = token };

    private static ITokenizer Own(string kind, CheckpointTokens checkpoint) =>
        new OwnTokenizers().Create(TokenizerFixtures.File(kind) with { Checkpoint = checkpoint });
}
