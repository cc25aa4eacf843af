using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>Against Google's sentencepiece 0.1.97, and against the vectors of llama.cpp.</summary>
[TestFixture]
public class SentencePieceTests
{
    private static readonly JsonNode s_expected = TokenizerFixtures.Json("sentencepiece.json");

    [TestCase("plain")]
    [TestCase("user-defined")]
    [TestCase("no-bytes")]
    [TestCase("across-words")]
    [TestCase("extra-spaces")]
    public void SmallModelsGiveTheIdsAndTextsOfSentencePiece(string model) =>
        Check(TokenizerLoader.Load(TokenizerFixtures.Path(model)), s_expected["models"]![model]!);

    [TestCase("tokenizers/llama2")]
    [TestCase("models/stories260K")]
    public void RealModelsGiveTheIdsAndTextsOfSentencePiece(string model) =>
        Check(TokenizerFixtures.Kind("shared/" + model), s_expected["shared"]![model]!);

    [TestCase("alpaca")]
    [TestCase("gsm8k")]
    public void Llama2GivesTheIdsOfSentencePieceOnRecords(string dataset)
    {
        var tokenizer = TokenizerFixtures.Kind("shared/tokenizers/llama2");
        var texts = dataset == "alpaca" ? SharedTexts.Alpaca("\n") : SharedTexts.Gsm8kQuestions();
        foreach (var record in s_expected["records"]!["tokenizers/llama2"]![dataset]!.AsArray())
        {
            var index = (int)record!["index"]!;
            var ids = string.Join(' ', tokenizer.Encode(texts[index], addBeginOfText: false));
            var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(ids)))[..16];
            Assert.That(digest, Is.EqualTo((string)record["sha256"]!), $"{dataset} record {index}");
        }
    }

    [Test]
    public void Llama2GivesTheIdsOfLlamaCppsVectors()
    {
        var tokenizer = TokenizerFixtures.Kind("shared/tokenizers/llama2");
        var texts = File.ReadAllText(SharedData.Path("tokenizers", "llama2", "vectors.inp")).Split("\n__ggml_vocab_test__\n");
        var ids = File.ReadAllLines(SharedData.Path("tokenizers", "llama2", "vectors.out"));
        var compared = 0;
        foreach (var (text, line) in texts.Zip(ids))
        {
            Assert.That(string.Join(' ', tokenizer.Encode(text, addBeginOfText: false)), Is.EqualTo(line.Trim()), text);
            compared++;
        }
        Assert.That(compared, Is.EqualTo(ids.Length).And.GreaterThan(40));
    }

    [Test]
    public void ThereAreTheUsualIdsAtTheEnds()
    {
        var tokenizer = TokenizerLoader.Load(TokenizerFixtures.Path("plain"));
        Assert.That(tokenizer.BeginOfText, Is.EqualTo(1));
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { 2 }));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(600));
        Assert.That(tokenizer.Encode("a", addBeginOfText: true), Is.EqualTo((int[])[1, .. tokenizer.Encode("a", addBeginOfText: false)]));
    }

    [Test]
    public void ControlPiecesInATextAreOrdinaryText()
    {
        var tokenizer = TokenizerLoader.Load(TokenizerFixtures.Path("plain"));
        var ids = tokenizer.Encode("<s>x</s><unk>", addBeginOfText: false);
        Assert.That(ids, Has.None.LessThan(3));
        Assert.That(tokenizer.Decode(ids), Is.EqualTo("<s>x</s><unk>"));
    }

    [Test]
    public void StoriesModelDecodesTheTextOfItsReference()
    {
        var tokenizer = TokenizerFixtures.Kind("shared/models/stories260K");
        var reference = JsonNode.Parse(File.ReadAllText(SharedData.Path("models", "stories260K", "reference.json")))!;
        var ids = reference["output_ids"]!.AsArray().Select(i => (int)i!).ToArray();
        Assert.That(tokenizer.Decode(ids), Is.EqualTo((string)reference["text"]!));
    }

    private static void Check(ITokenizer tokenizer, JsonNode expected)
    {
        var (encode, decode) = (TokenizerFixtures.Cases(expected["encode"]), TokenizerFixtures.Cases(expected["decode"]));
        Assert.That(encode, Is.Not.Empty);
        Assert.Multiple(() =>
        {
            foreach (var c in encode) Assert.That(tokenizer.Encode(c.Text, addBeginOfText: false), Is.EqualTo(c.Ids), c.ToString());
            foreach (var c in decode) Assert.That(tokenizer.Decode(c.Ids), Is.EqualTo(c.Text), string.Join(' ', c.Ids));
        });
    }
}
