using System.Text.Json.Nodes;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>
/// tokenizer.json, against the textbook's merging, and against Google's sentencepiece for a model converted from it.
/// </summary>
[TestFixture]
public class HuggingFaceTokenizerTests
{
    [TestCase("smollm")]
    [TestCase("gpt2")]
    [TestCase("prefix")]
    [TestCase("llama3")]
    public void ByteLevelGivesTheIdsOfTheTextbook(string variant)
    {
        var tokenizer = TokenizerFixtures.ByteLevel(variant);
        var cases = TokenizerFixtures.Cases(TokenizerFixtures.Json("byte-level.json")["variants"]![variant]!["cases"]);
        Assert.That(cases, Is.Not.Empty);
        foreach (var c in cases) Assert.That(tokenizer.Encode(c.Text, addBeginOfText: false), Is.EqualTo(c.Ids), c.ToString());
    }

    [Test]
    public void AConvertedModelGivesTheIdsOfSentencePiece()
    {
        var tokenizer = TokenizerLoader.Load(TokenizerFixtures.Path("converted"));
        foreach (var c in SentencePieceCases("encode").Where(c => !NamesAnAddedToken(c)))
            Assert.That(tokenizer.Encode(c.Text, addBeginOfText: false), Is.EqualTo(c.Ids), c.ToString());
    }

    [TestCase("always", true)]
    [TestCase("always", false)]
    [TestCase("first", true)]
    public void MetaspaceGivesTheIdsOfSentencePiece(string scheme, bool split)
    {
        var json = Converted();
        json["normalizer"] = null;
        json["pre_tokenizer"] =
            new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["prepend_scheme"] = scheme, ["split"] = split };
        var tokenizer = TokenizerFixtures.Build(json);
        // Metaspace puts no second space in front of a first one. And a split makes each of several spaces a word, which
        // only matters to a vocabulary that has them joined; this one has not.
        foreach (var c in SentencePieceCases("encode")
            .Where(c => !NamesAnAddedToken(c) && !c.Text.StartsWith(' ') && !c.Text.StartsWith('▁')))
            Assert.That(tokenizer.Encode(c.Text, addBeginOfText: false), Is.EqualTo(c.Ids), c.ToString());
    }

    [Test]
    public void OpenLlamaMergesAsTheTextbook()
    {
        var path = SharedData.Path("tokenizers", "openllama-zh-en");
        var reference = new NaiveMerges(JsonNode.Parse(File.ReadAllText(Path.Combine(path, "tokenizer.json")))!["model"]!);
        var tokenizer = TokenizerLoader.Load(path);
        var texts = TokenizerFixtures.RandomTexts(300, seed: 12).Where(t => !t.Contains("<s>") && !t.Contains("</s>"));
        foreach (var text in texts.Concat(SharedTexts.Gsm8kQuestions().Take(100)))
            Assert.That(tokenizer.Encode(text, addBeginOfText: false), Is.EqualTo(reference.Encode("▁" + text.Replace(' ', '▁'))), text);
    }

    [Test]
    public void OpenLlamaHasItsBeginItsEndAndItsAddedTokens()
    {
        var tokenizer = TokenizerFixtures.Kind("shared/tokenizers/openllama-zh-en");
        Assert.That(tokenizer.BeginOfText, Is.EqualTo(1));
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { 2 }));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(32001));
        // </s> is looked for in the raw text; <s> ("normalized") in the normalised one, where it has a ▁ in front.
        Assert.That(tokenizer.Encode("</s>", addBeginOfText: false), Is.EqualTo(new[] { 2 }));
        Assert.That(tokenizer.Encode("<s>", addBeginOfText: true), Is.EqualTo(new[] { 1, 1 }));
        Assert.That(tokenizer.Encode("a <s>", addBeginOfText: false)[^1], Is.EqualTo(1));
        Assert.That(tokenizer.Encode("a<s>", addBeginOfText: false), Has.None.EqualTo(1));
        Assert.That(tokenizer.Decode(tokenizer.Encode("a</s>b", addBeginOfText: false)), Is.EqualTo("a b"));
    }

    [Test]
    public void AddedTokensTakeTheWhiteSpaceTheyAskFor()
    {
        // <|pad|> strips on both sides, <|pad|>2 is longer but only looked for in what is left, <|endoftext|> strips nothing.
        var tokenizer = TokenizerFixtures.ByteLevel("smollm");
        Assert.That(tokenizer.Encode("a \n<|pad|>\t b", addBeginOfText: false), Is.EqualTo((int[])[.. Ids("a"), 600, .. Ids("b")]));
        Assert.That(tokenizer.Encode("a <|endoftext|> b", addBeginOfText: false), Is.EqualTo((int[])[.. Ids("a "), 0, .. Ids(" b")]));
        Assert.That(tokenizer.Encode("<|pad|>2", addBeginOfText: false), Is.EqualTo((int[])[600, .. Ids("2")]));

        int[] Ids(string text) => tokenizer.Encode(text, addBeginOfText: false);
    }

    [Test]
    public void TheLongestAddedTokenIsTaken()
    {
        var json = TokenizerFixtures.ByteLevelJson("smollm");
        json["added_tokens"]![2]!["normalized"] = false;
        Assert.That(TokenizerFixtures.Build(json).Encode("<|pad|>2", addBeginOfText: false), Is.EqualTo(new[] { 601 }));
    }

    [Test]
    public void UnknownCharactersFollowFuseUnk([Values] bool fuse)
    {
        var json = Converted();
        json["model"]!["byte_fallback"] = false;
        json["model"]!["fuse_unk"] = fuse;
        var ids = TokenizerFixtures.Build(json).Encode("中文 x", addBeginOfText: false);
        Assert.That(ids.Count(id => id == 0), Is.EqualTo(fuse ? 1 : 2));
    }

    // The reference decides on a whole run of byte tokens: valid, or U+FFFD for each of its bytes.
    [TestCase("<0xE4> <0xB8> <0xAD>", "中")]
    [TestCase("<0x41> <0xFF>", "��")]
    [TestCase("<0xE4> <0xB8> e", "��e")]
    [TestCase("<0x20> <0x20> e", " e")]
    public void ByteFallbackDecodesRuns(string names, string text)
    {
        var json = Converted();
        var vocabulary = json["model"]!["vocab"]!;
        var ids = names.Split(' ').Select(name => (int)vocabulary[name]!).ToArray();
        Assert.That(TokenizerFixtures.Build(json).Decode(ids), Is.EqualTo(text));
    }

    private static JsonObject Converted() => TokenizerFixtures.Json("converted/tokenizer.json").AsObject();

    private static IEnumerable<TokenizerCase> SentencePieceCases(string list) =>
        TokenizerFixtures.Cases(TokenizerFixtures.Json("sentencepiece.json")["models"]!["plain"]![list]);

    // Those become their tokens here, and are ordinary text to SentencePiece.
    private static bool NamesAnAddedToken(TokenizerCase c) => new[] { "<s>", "</s>", "<unk>" }.Any(c.Text.Contains);

    private sealed class NaiveMerges
    {
        private readonly Dictionary<string, int> ids;
        private readonly Dictionary<string, int> ranks = [];

        public NaiveMerges(JsonNode model)
        {
            ids = model["vocab"]!.AsObject().ToDictionary(p => p.Key, p => (int)p.Value!);
            foreach (var merge in model["merges"]!.AsArray()) ranks[(string)merge!] = ranks.Count;
        }

        public int[] Encode(string text)
        {
            var parts = text.EnumerateRunes().SelectMany(r => ids.ContainsKey(r.ToString()) ? [r.ToString()] : Bytes(r.ToString()))
                .ToList();
            while (true)
            {
                var (best, at) = (int.MaxValue, -1);
                for (var i = 0; i + 1 < parts.Count; i++)
                    if (ranks.TryGetValue($"{parts[i]} {parts[i + 1]}", out var rank) && rank < best) (best, at) = (rank, i);
                if (at < 0) return [.. parts.Select(p => ids[p])];
                parts[at] += parts[at + 1];
                parts.RemoveAt(at + 1);
            }
        }

        private static IEnumerable<string> Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text).Select(b => $"<0x{b:X2}>");
    }
}
