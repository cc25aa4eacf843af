using System.Text;
using System.Text.Json.Nodes;
using Harness.Models.Llama.Tokenizers;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama.Tokenizers;

[TestFixture]
public class TokenizerLoaderTests
{
    string directory = "";

    [SetUp]
    public void NewDirectory() => directory = Directory.CreateTempSubdirectory("tokenizer-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(directory, recursive: true);

    [Test]
    public void KindsAreSeenFromTheContent()
    {
        Write("original/tokenizer.model", TokenizerFixtures.SmallRankList());
        Assert.That(TokenizerLoader.Load(directory), Is.TypeOf<TiktokenTokenizer>());
        Write("tokenizer.json", TokenizerFixtures.ByteLevelJson("gpt2").ToJsonString());
        Assert.That(TokenizerLoader.Load(directory), Is.TypeOf<HuggingFaceTokenizer>());
        WritePlainModel(model => model);
        Assert.That(TokenizerLoader.Load(directory), Is.TypeOf<SentencePieceTokenizer>());
    }

    [Test]
    public void ADirectoryWithoutTokenizerIsSaidSo()
    {
        Assert.That(Message(), Is.EqualTo($"{directory}: no tokenizer (tokenizer.model, tokenizer.json, original/tokenizer.model); copy it from where the checkpoint came from"));
        Directory.Delete(directory);
        Assert.That(Message(), Is.EqualTo($"{directory}: no such directory; Model:Path must name a checkpoint's directory"));
        Directory.CreateDirectory(directory);
    }

    [TestCase("", "the file is empty; fetch it again")]
    [TestCase("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer, not the file itself; run 'git lfs pull' in the checkpoint")]
    [TestCase("AA= 0\n", "line 1 'AA= 0' is not base64, a space and a rank; fetch the file again")]
    [TestCase("AA== 0\nAQ== one\n", "line 2 'AQ== one' is not base64, a space and a rank; fetch the file again")]
    [TestCase("AA== 0\nAQ== 2\n", "line 2 has the rank 2 where 1 must follow; fetch the file again")]
    [TestCase("AA== 0\nAA== 1\n", "line 2 repeats the bytes of an earlier one; fetch the file again")]
    [TestCase("AA== 0\nAQ== 1\n", "no line for the single byte 0x02; fetch the file again")]
    [TestCase("\n\u0009ab", "not a SentencePiece model: the data end inside field 1, at byte 4; fetch the file again")]
    public void ADamagedFileIsNamedWithItsFault(string content, string message)
    {
        Write("tokenizer.model", content);
        Assert.That(Message(), Is.EqualTo($"{Path.Combine(directory, "tokenizer.model")}: {message}"));
    }

    [Test]
    public void ACutSentencePieceModelIsRefusedWhereverItIsCut()
    {
        var whole = File.ReadAllBytes(TokenizerFixtures.Path("plain", "tokenizer.model"));
        for (var length = 1; length < whole.Length - 40; length += 61)
        {
            WritePlainModel(model => model[..length]);
            Assert.That(Message(), Does.Contain("tokenizer.model: "), $"at {length}");
        }
        WritePlainModel(model => model[..1000]);
        Assert.That(Message(), Does.EndWith("not a SentencePiece model: the data end inside field 1, at byte 1000; fetch the file again"));
    }

    [Test]
    public void UnigramModelsAreRefusedByName()
    {
        File.Copy(TokenizerFixtures.Path("unigram", "tokenizer.model"), Path.Combine(directory, "tokenizer.model"));
        Assert.That(Message(), Does.EndWith("a SentencePiece model of type 'unigram'; only 'bpe' is supported, give a LLaMA tokenizer"));
    }

    [Test] // A protobuf message may be continued: what is appended replaces the settings before it.
    public void SentencePieceModelsThatWouldDifferAreRefusedByName()
    {
        WritePlainModel(model => [.. model, 0x1A, 0x0A, 0x0A, 0x05, .. "nfkc!"u8, 0x12, 0x01, 0x07]);
        Assert.That(Message(), Does.EndWith("the normalizer 'nfkc!' has a precompiled_charsmap; only 'identity' is supported, give a LLaMA tokenizer"));
        WritePlainModel(model => [.. model, 0x12, 0x03, 0xC0, 0x01, 0x01]);
        Assert.That(Message(), Does.EndWith("treat_whitespace_as_suffix is set, which is not supported; give a LLaMA tokenizer"));
        WritePlainModel(model => [.. model, 0x0A, 0x05, 0x0A, 0x01, 0x5A, 0x18, 0x05]);
        Assert.That(Message(), Does.EndWith("piece 600 'Z' is of type Unused, which is not supported; give a model with its whole vocabulary"));
        WritePlainModel(model => [.. model, 0x0A, 0x05, 0x0A, 0x03, .. "<s>"u8]);
        Assert.That(() => TokenizerLoader.Load(directory), Throws.Nothing);
        WritePlainModel(model => [.. model, 0x0A, 0x03, 0x0A, 0x01, .. "t"u8]);
        Assert.That(Message(), Does.EndWith("piece 600 't' is there twice; fetch the file again"));
    }

    [TestCase("model.type", "\"Unigram\"", "model.type is \"Unigram\": only BPE is supported")]
    [TestCase("model.dropout", "0.1", "model.dropout is 0.1: only null is supported")]
    [TestCase("model.end_of_word_suffix", "\"</w>\"", "model.end_of_word_suffix is \"</w>\": only null is supported")]
    [TestCase("model.surprise", "1", "model.surprise is 1: the key is not known")]
    [TestCase("model.unk_token", "\"[UNK]\"", "model.unk_token is \"[UNK]\": the vocabulary does not have it")]
    [TestCase("model.merges", "[\"a\"]", "model.merges[0] is \"a\": two symbols are expected")]
    [TestCase("model.merges", "[[\"a\",\"中\"]]", "model.merges[0] is [\"a\",\"\\u4E2D\"]: the vocabulary does not have '中'")]
    [TestCase("normalizer", "{\"type\":\"NFKC\"}", "normalizer.type is \"NFKC\": this normalizer is not supported")]
    [TestCase("normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},\"content\":\"x\"}", "normalizer.pattern.Regex is \" +\": the key is not known")]
    [TestCase("pre_tokenizer", "{\"type\":\"Whitespace\"}", "pre_tokenizer.type is \"Whitespace\": this pre-tokenizer is not supported")]
    [TestCase("pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a+\"},\"behavior\":\"Isolated\",\"invert\":false}", "pre_tokenizer.pattern.Regex is \"a+\": this pattern is not known")]
    [TestCase("post_processor", "{\"type\":\"BertProcessing\"}", "post_processor.type is \"BertProcessing\": this post-processor is not supported")]
    [TestCase("decoder", "{\"type\":\"WordPiece\"}", "decoder.type is \"WordPiece\": this decoder is not supported here")]
    [TestCase("decoder", "null", "decoder is missing: a decoder is expected")]
    [TestCase("added_tokens[1].single_word", "true", "added_tokens[1].single_word is true: only false is supported")]
    [TestCase("added_tokens[1].content", "\"a\"", "'a' has the id 600 here and 65 in the vocabulary")]
    public void WhatATokenizerJsonAsksForInVainIsNamed(string key, string value, string message)
    {
        var json = TokenizerFixtures.ByteLevelJson("gpt2");
        JsonNode parent = json;
        var steps = key.Replace("[", ".[").Split('.');
        foreach (var step in steps[..^1]) parent = step[0] == '[' ? parent[int.Parse(step[1..^1])]! : parent[step]!;
        parent[steps[^1]] = JsonNode.Parse(value);
        Write("tokenizer.json", json.ToJsonString());
        Assert.That(Message(), Does.StartWith(Path.Combine(directory, "tokenizer.json") + ": ").And.Contain(message).And.EndsWith("; give a tokenizer of the LLaMA family"));
    }

    [Test]
    public void ATokenizerJsonThatIsNoJsonIsSaidSo()
    {
        Write("tokenizer.json", "{\"version\": ");
        Assert.That(Message(), Does.Contain("tokenizer.json: not JSON: ").And.EndsWith("; fetch the file again").And.Not.Contain("\n"));
    }

    [TestCase("{\"eos_token_id\": 300}", null, new[] { 300 })]
    [TestCase("{\"eos_token_id\": [300, 301]}", "{\"eos_token_id\": 302}", new[] { 300, 301, 302 })]
    [TestCase(null, "{\"eos_token_id\": null}", new[] { 0 })]
    [TestCase("{\"eos_token_id\": -1}", null, new[] { 0 })]
    public void EndsAreTakenFromTheConfigurationsOrElseFromTheAddedTokens(string? generation, string? config, int[] ends)
    {
        Write("tokenizer.json", TokenizerFixtures.ByteLevelJson("gpt2").ToJsonString());
        if (generation is not null) Write("generation_config.json", generation);
        if (config is not null) Write("config.json", config);
        Assert.That(TokenizerLoader.Load(directory).EndOfText, Is.EquivalentTo(ends));
    }

    [Test]
    public void TheConfigurationAddsEndsToATokenizerModel()
    {
        WritePlainModel(model => model);
        Write("generation_config.json", "{\"eos_token_id\": [2, 32000]}");
        Assert.That(TokenizerLoader.Load(directory).EndOfText, Is.EquivalentTo(new[] { 2, 32000 }));
    }

    [TestCase("{\"bos_token\": \"<|pad|>\"}", null)]
    [TestCase("{\"bos_token\": \"<|pad|>\", \"add_bos_token\": true}", 600)]
    [TestCase("{\"bos_token\": {\"content\": \"<|pad|>\"}, \"tokenizer_class\": \"LlamaTokenizerFast\", \"eos_token\": \"<|pad|>2\"}", 600)]
    [TestCase("{\"bos_token\": \"<|pad|>\", \"tokenizer_class\": \"LlamaTokenizer\", \"add_bos_token\": false}", null)]
    public void ThereIsABeginWherePromptsHaveOne(string tokenizerConfig, int? begin)
    {
        Write("tokenizer.json", TokenizerFixtures.ByteLevelJson("gpt2").ToJsonString());
        Write("tokenizer_config.json", tokenizerConfig);
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.BeginOfText, Is.EqualTo(begin));
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { tokenizerConfig.Contains("eos_token") ? 601 : 0 }));
    }

    string Message() => Assert.Throws<UserErrorException>(() => TokenizerLoader.Load(directory))!.Message;

    void Write(string name, string content)
    {
        var path = Path.Combine(directory, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(content));
    }

    void WritePlainModel(Func<byte[], byte[]> change) =>
        File.WriteAllBytes(Path.Combine(directory, "tokenizer.model"), change(File.ReadAllBytes(TokenizerFixtures.Path("plain", "tokenizer.model"))));
}
