using System.Text;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

[TestFixture]
public class TokenizerLoaderTests
{
    private string directory = "";

    [SetUp]
    public void NewDirectory() => directory = Directory.CreateTempSubdirectory("tokenizer-").FullName;

    [TearDown]
    public void RemoveDirectory() => Directory.Delete(directory, recursive: true);

    [Test]
    public void KindsAreSeenFromTheContent()
    {
        Write("original/tokenizer.model", TokenizerFixtures.SmallRankList());
        Assert.That(TokenizerLoader.Load(directory), Is.TypeOf<TiktokenTokenizer>());
        WritePlainModel(model => model);
        Assert.That(TokenizerLoader.Load(directory), Is.TypeOf<SentencePieceTokenizer>());
        Write("tokenizer.json", TokenizerFixtures.ByteLevelJson("gpt2").ToJsonString());
        Assert.That(TokenizerLoader.Load(directory), Is.TypeOf<HuggingFaceTokenizer>());
        // A library that reads no tokenizer.json takes the first file that it reads.
        Assert.That(TokenizerLoader.Find(directory, format => format != TokenizerFormat.HuggingFace).Format,
            Is.EqualTo(TokenizerFormat.SentencePiece));
        Assert.That(TokenizerLoader.Find(directory, _ => false).Format, Is.EqualTo(TokenizerFormat.HuggingFace));
    }

    [Test]
    public void AConversionThatDiffersFromItsModelIsNamed()
    {
        WritePlainModel(model => model);
        File.Copy(TokenizerFixtures.Path("converted", "tokenizer.json"), Path.Combine(directory, "tokenizer.json"));
        Assert.That(TokenizerLoader.Load(directory).Notes, Is.Empty);
        File.Copy(TokenizerFixtures.Path("user-defined", "tokenizer.model"), Path.Combine(directory, "tokenizer.model"), overwrite: true);
        Assert.That(TokenizerLoader.Load(directory).Notes,
            Has.One.Contains($"{Path.Combine(directory, "tokenizer.model")} is not, and they differ: "));
    }

    [Test]
    public void ADirectoryWithoutTokenizerIsSaidSo()
    {
        Assert.That(Message(), Is.EqualTo($"{directory}: no tokenizer (tokenizer.json, tokenizer.model, original/tokenizer.model); copy "
            + "it from where the checkpoint came from"));
        Directory.Delete(directory);
        Assert.That(Message(), Is.EqualTo($"{directory}: no such directory; Model:Path must name a checkpoint's directory"));
        Directory.CreateDirectory(directory);
    }

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

    [TestCase("tokenizer.model", "", "is empty; fetch it again")]
    [TestCase("tokenizer.model", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "is a Git LFS pointer, not the file itself; run 'git lfs pull' where it was cloned")]
    [TestCase("tokenizer.json", "<!DOCTYPE html><html>", "is a web page")]
    [TestCase("tokenizer_config.json", "version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer")]
    public void AFileThatIsSomethingElseIsCalledByItsName(string file, string content, string what)
    {
        WritePlainModel(model => model);
        Write(file, content);
        Assert.That(Message(), Does.StartWith($"{Path.Combine(directory, file)} {what}"));
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
        Assert.That(Message(), Does.EndWith("the normalizer 'nfkc!' has a precompiled_charsmap; only 'identity' is supported, give a "
            + "LLaMA tokenizer"));
        WritePlainModel(model => [.. model, 0x12, 0x03, 0xC0, 0x01, 0x01]);
        Assert.That(Message(), Does.EndWith("treat_whitespace_as_suffix is set, which is not supported; give a LLaMA tokenizer"));
        WritePlainModel(model => [.. model, 0x0A, 0x05, 0x0A, 0x01, 0x5A, 0x18, 0x05]);
        Assert.That(Message(), Does.EndWith("piece 600 'Z' is of type Unused, which is not supported; give a model with its whole "
            + "vocabulary"));
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
    [TestCase("normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},\"content\":\"x\"}",
        "normalizer.pattern.Regex is \" +\": the key is not known")]
    [TestCase("pre_tokenizer", "{\"type\":\"Whitespace\"}", "pre_tokenizer.type is \"Whitespace\": this pre-tokenizer is not supported")]
    [TestCase("pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a+\"},\"behavior\":\"Isolated\",\"invert\":false}",
        "pre_tokenizer.pattern.Regex is \"a+\": this pattern is not known")]
    [TestCase("post_processor", "{\"type\":\"BertProcessing\"}",
        "post_processor.type is \"BertProcessing\": this post-processor is not supported")]
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
        Assert.That(Message(),
            Does.StartWith(Path.Combine(directory, "tokenizer.json")
            + ": ").And.Contain(message).And.EndsWith("; give a tokenizer of the LLaMA family"));
    }

    [Test]
    public void ATokenizerJsonThatIsNoJsonIsSaidSo()
    {
        Write("tokenizer.json", "{\"version\": ");
        Assert.That(Message(), Does.Contain("tokenizer.json: not JSON: ").And.EndsWith("; fetch the file again").And.Not.Contain("\n"));
    }

    /// <summary>
    /// transformers generates with generation_config.json alone where there is one, and makes it of config.json where there is none.
    /// </summary>
    [TestCase("{\"eos_token_id\": 300}", null, new[] { 300 }, 0)]
    [TestCase("{\"eos_token_id\": [300, 301]}", "{\"eos_token_id\": 302}", new[] { 300, 301 }, 1)]
    [TestCase("{\"eos_token_id\": [300]}", "{\"eos_token_id\": 300}", new[] { 300 }, 0)]
    [TestCase(null, "{\"eos_token_id\": 302}", new[] { 302 }, 0)]
    [TestCase(null, "{\"eos_token_id\": null}", new[] { 0 }, 0)]
    [TestCase("{\"eos_token_id\": -1}", null, new[] { 0 }, 0)]
    public void EndsAreTakenFromTheConfigurationsOrElseFromTheAddedTokens(string? generation, string? config, int[] ends, int notes)
    {
        Write("tokenizer.json", TokenizerFixtures.ByteLevelJson("gpt2").ToJsonString());
        if (generation is not null) Write("generation_config.json", generation);
        if (config is not null) Write("config.json", config);
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(ends));
        Assert.That(tokenizer.Notes, Has.Count.EqualTo(notes));
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

    /// <summary>
    /// update_post_processor of transformers 5: the flags of tokenizer_config.json, where they are there, replace tokenizer.json's
    /// template.
    /// </summary>
    [TestCase("{}", new[] { 600 }, new[] { 601 }, 0)]
    [TestCase("{\"add_bos_token\": true, \"add_eos_token\": true, \"bos_token\": \"<|endoftext|>\", \"eos_token\": \"<|pad|>2\"}",
        new[] { 0 }, new[] { 601 }, 1)]
    [TestCase("{\"add_bos_token\": false}", new int[0], new[] { 601 }, 1)]
    [TestCase("{\"add_bos_token\": false, \"add_eos_token\": false}", new int[0], new int[0], 1)]
    [TestCase("{\"add_bos_token\": true, \"bos_token\": null, \"add_eos_token\": true, \"eos_token\": \"<|pad|>2\"}", new[] { 600 },
        new[] { 601 }, 0)]
    public void FlagsGoBeforeTheTemplate(string tokenizerConfig, int[] before, int[] behind, int notes)
    {
        var json = TokenizerFixtures.ByteLevelJson("gpt2");
        json["post_processor"] = JsonNode.Parse("""
            { "type": "TemplateProcessing", "pair": [],
              "single": [ { "SpecialToken": { "id": "<|pad|>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "<|pad|>2", "type_id": 0 } } ],
              "special_tokens": { "<|pad|>": { "id": "<|pad|>", "ids": [600], "tokens": ["<|pad|>"] }, "<|pad|>2": { "id": "<|pad|>2", "ids": [601], "tokens": ["<|pad|>2"] } } }
            """);
        Write("tokenizer.json", json.ToJsonString());
        Write("tokenizer_config.json", tokenizerConfig);
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.Encode("a", addBeginOfText: true),
            Is.EqualTo((int[])[.. before, .. tokenizer.Encode("a", addBeginOfText: false), .. behind]));
        Assert.That(tokenizer.Notes, Has.Count.EqualTo(notes));
    }

    /// <summary>
    /// llama.cpp 3966: Yi and Atom have add_bos_token false beside a SentencePiece model; LlamaTokenizer's default is true.
    /// </summary>
    [TestCase(null, true, false)]
    [TestCase("{\"add_bos_token\": false, \"add_eos_token\": false, \"tokenizer_class\": \"LlamaTokenizer\"}", false, false)]
    [TestCase("{\"add_bos_token\": true, \"add_eos_token\": true, \"bos_token\": { \"__type\": \"AddedToken\", \"content\": \"<s>\" }}",
        true, true)]
    [TestCase("{\"add_bos_token\": false, \"add_eos_token\": true, \"eos_token\": \"</s>\"}", false, true)]
    [TestCase("{\"tokenizer_class\": \"LLaMATokenizer\", \"bos_token\": \"\", \"eos_token\": \"\", \"unk_token\": \"\"}", true, false)]
    public void ASentencePieceModelFollowsTheFlagsBesideIt(string? tokenizerConfig, bool begins, bool ends)
    {
        WritePlainModel(model => model);
        if (tokenizerConfig != null) Write("tokenizer_config.json", tokenizerConfig);
        var tokenizer = TokenizerLoader.Load(directory);
        var plain = tokenizer.Encode("Hello world", addBeginOfText: false);
        Assert.That(tokenizer.Encode("Hello world", addBeginOfText: true),
            Is.EqualTo((int[])[.. begins ? [1] : (int[])[], .. plain, .. ends ? [2] : (int[])[]]));
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { 2 }));
    }

    /// <summary>The ids are those that transformers and llama.cpp give for LLaMA 2.</summary>
    [TestCase("false", new[] { 15043, 3186 })]
    [TestCase("true", new[] { 1, 15043, 3186 })]
    public void Llama2WithoutBeginHasTheIdsOfTheReference(string flag, int[] ids)
    {
        File.Copy(SharedData.Path("tokenizers", "llama2", "tokenizer.model"), Path.Combine(directory, "tokenizer.model"));
        Write("tokenizer_config.json",
            $"{{\"add_bos_token\": {flag}, \"tokenizer_class\": \"LlamaTokenizer\", \"bos_token\": {{\"__type\": \"AddedToken\", "
            + $"\"content\": \"<s>\", \"normalized\": true}}}}");
        Assert.That(TokenizerLoader.Load(directory).Encode("Hello world", addBeginOfText: true), Is.EqualTo(ids));
    }

    [Test]
    public void ABeginThatHasNoIdIsRefused()
    {
        WritePlainModel(model => model);
        Write("tokenizer_config.json", "{\"add_bos_token\": true, \"bos_token\": \"<|start|>\"}");
        Assert.That(Message(), Does.Contain("bos_token is <|start|>, which has no id in the tokenizer's files"));
    }

    /// <summary>
    /// Each of the files that may hold added tokens, beside a model of 600 pieces: <c>_from_pretrained</c> of transformers.
    /// </summary>
    [TestCase("added_tokens.json", "{\"<|im_end|>\": 601, \"<|im_start|>\": 600}")]
    [TestCase("tokenizer_config.json",
        "{\"added_tokens_decoder\": {\"600\": {\"content\": \"<|im_start|>\", \"special\": true}, \"601\": {\"content\": \"<|im_end|>\", "
        + "\"special\": false}}}")]
    public void AddedTokensBesideAModelAreOneIdEach(string file, string content)
    {
        WritePlainModel(model => model);
        Write(file, content);
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(602));
        var ids = tokenizer.Encode("<|im_start|>user\nhi<|im_end|>", addBeginOfText: false);
        Assert.That((ids[0], ids[^1], ids.Count(id => id >= 600)), Is.EqualTo((600, 601, 2)));
        Assert.That(tokenizer.Decode(ids[1..^1], continuation: true), Is.EqualTo("user\nhi"),
            "no space in front: legacy is false where nothing says");
        Assert.That(tokenizer.Decode(ids, continuation: true),
            Is.EqualTo(content.Contains("true") ? "user\nhi<|im_end|>" : "<|im_start|>user\nhi<|im_end|>"), "special tokens give no text");
    }

    /// <summary>
    /// all_special_tokens of transformers, which decode to nothing: what a key names (the pad_token of
    /// https://github.com/OpenNMT/CTranslate2/issues/1618), and the model's own control pieces, whatever lists them
    /// (https://github.com/ggml-org/llama.cpp/issues/3454).
    /// </summary>
    [TestCase("{\"<pad>\": 600}", "{\"pad_token\": \"<pad>\"}", 600)]
    [TestCase("{\"<pad>\": 600}", "{\"unk_token\": {\"content\": \"<pad>\"}}", 600)]
    [TestCase("{\"<unk>\": 0, \"<s>\": 1, \"</s>\": 2}", "{}", 1)]
    [TestCase("{\"<unk>\": 0, \"<s>\": 1, \"</s>\": 2}", "{}", 2)]
    public void SpecialTokensGiveNoText(string added, string tokenizerConfig, int id)
    {
        WritePlainModel(model => model);
        Write("added_tokens.json", added);
        Write("tokenizer_config.json", tokenizerConfig);
        Assert.That(TokenizerLoader.Load(directory).Decode([id], continuation: true), Is.Empty);
    }

    /// <summary>https://github.com/ai-forever/ru-gpts/issues/28: an eos_token that the vocabulary does not have.</summary>
    [Test]
    public void AnEndThatHasNoIdIsNamed()
    {
        WritePlainModel(model => model);
        Write("tokenizer_config.json", "{\"eos_token\": \"<|im_end|>\"}");
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.EndOfText, Is.EquivalentTo(new[] { 2 }));
        Assert.That(tokenizer.Notes, Has.One.Contains("eos_token <|im_end|> has no id in the tokenizer's files, and ends nothing; "
            + "generation ends with 2"));
    }

    /// <summary>
    /// Byte-order marks of editors, and what Python's json module writes for infinity: https://github.com/ai-dynamo/dynamo/pull/3043.
    /// </summary>
    [TestCase("\uFEFF{\"add_eos_token\": true}")]
    [TestCase("{\"model_max_length\": Infinity, \"add_eos_token\": true}")]
    [TestCase("{\r\n\"add_eos_token\": true\r\n}\r\n")]
    public void JsonOfOtherWritersIsRead(string tokenizerConfig)
    {
        WritePlainModel(model => model);
        Write("tokenizer_config.json", tokenizerConfig);
        Assert.That(TokenizerLoader.Load(directory).Encode("a", addBeginOfText: true)[^1], Is.EqualTo(2));
    }

    [Test]
    public void TheRemedyIsThatOfTheFile()
    {
        WritePlainModel(model => model);
        Write("generation_config.json", "{\"eos_token_id\": \"2\"}");
        Assert.That(Message(), Does.EndWith("generation_config.json: eos_token_id is \"2\": number expected; put it right, or fetch the "
            + "file again"));
    }

    [Test]
    public void LegacyPutsASpaceBehindAnAddedToken()
    {
        WritePlainModel(model => model);
        Write("added_tokens.json", "{\"<|im_start|>\": 600}");
        Write("tokenizer_config.json", "{\"legacy\": true}");
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.Encode("<|im_start|>user", addBeginOfText: false),
            Is.EqualTo((int[])[600, .. tokenizer.Encode("user", addBeginOfText: false)]));
        Write("tokenizer_config.json", "{\"add_prefix_space\": false}");
        tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.Decode(tokenizer.Encode("user", addBeginOfText: false), continuation: true), Is.EqualTo("user"));
    }

    [Test]
    public void TokenizerConfigGoesBeforeTheOlderFiles()
    {
        WritePlainModel(model => model);
        Write("added_tokens.json", "{\"<|old|>\": 600}");
        Write("special_tokens_map.json", "{\"eos_token\": \"<|old|>\"}");
        Assert.That(TokenizerLoader.Load(directory).EndOfText, Is.EquivalentTo(new[] { 600 }));
        Write("tokenizer_config.json", "{\"eos_token\": \"</s>\"}");
        var both = TokenizerLoader.Load(directory);
        Assert.That(both.EndOfText, Is.EquivalentTo(new[] { 600 }));
        Assert.That(both.Notes, Has.One.Contains("eos_token is <|old|> in special_tokens_map.json and </s> in tokenizer_config.json"));
        Write("tokenizer_config.json", "{\"eos_token\": \"<|new|>\", \"added_tokens_decoder\": {\"600\": {\"content\": \"<|new|>\"}}}");
        var newer = TokenizerLoader.Load(directory);
        Assert.That(newer.EndOfText, Is.EquivalentTo(new[] { 600 }));
        Assert.That(newer.Encode("<|new|>", addBeginOfText: false), Is.EqualTo(new[] { 600 }));
        Assert.That(newer.Encode("<|old|>", addBeginOfText: false), Has.None.EqualTo(600));
    }

    [TestCase("{\"additional_special_tokens\": [\"<|x|>\"]}", "special token '<|x|>' has no id")]
    [TestCase("{\"added_tokens_decoder\": {\"5\": {\"content\": \"</s>\"}}}", "the added token '</s>' has the id 5 beside it and 2 in it")]
    [TestCase("{\"added_tokens_decoder\": {\"x\": {\"content\": \"a\"}}}", "an id from 0 to 16777215 is expected as its key")]
    [TestCase("{\"do_lower_case\": true}", "do_lower_case = True cannot be honoured")]
    [TestCase("{\"split_special_tokens\": true}", "split_special_tokens = True cannot be honoured")]
    [TestCase("{\"sp_model_kwargs\": {\"enable_sampling\": true}}", "sp_model_kwargs = ")]
    [TestCase("{\"fix_mistral_regex\": true}", "fix_mistral_regex = True cannot be honoured")]
    public void WhatTheFilesBesideAskForInVainIsRefused(string tokenizerConfig, string message)
    {
        WritePlainModel(model => model);
        Write("tokenizer_config.json", tokenizerConfig);
        Assert.That(Message(), Does.Contain(message));
    }

    [Test]
    public void WhatIsNotFollowedIsNamed()
    {
        WritePlainModel(model => model);
        Write("generation_config.json", "{\"do_sample\": true, \"temperature\": 0.6, \"eos_token_id\": 2}");
        Write("tokenizer_config.json", "{\"flavour\": 3, \"chat_template\": \"{{ x }}\", \"sp_model_kwargs\": {}, \"pad_token\": null}");
        Assert.That(TokenizerLoader.Load(directory).Notes, Is.EqualTo(new[]
        {
            $"{Path.Combine(directory, "generation_config.json")}: not followed: do_sample, temperature; settings of generation are the "
                + "run's own (--temperature, --top-p, --max-new-tokens, …)",
            $"{Path.Combine(directory, "tokenizer_config.json")}: not followed: flavour; not known here",
        }));
    }

    /// <summary>added_tokens_decoder goes before tokenizer.json's own description, added_tokens.json behind it, and each may add.</summary>
    [Test]
    public void AddedTokensOfEveryFileAreFoundInTexts()
    {
        Write("tokenizer.json", TokenizerFixtures.ByteLevelJson("gpt2").ToJsonString());
        Write("added_tokens.json", "{\"<|im_start|>\": 602}");
        Assert.That(TokenizerLoader.Load(directory).Encode("a<|im_start|>", addBeginOfText: false)[^1], Is.EqualTo(602));
        Write("tokenizer_config.json", "{\"added_tokens_decoder\": {\"603\": {\"content\": \"<|x|>\", \"lstrip\": true}}}");
        var tokenizer = TokenizerLoader.Load(directory);
        Assert.That(tokenizer.Encode("a  <|x|>", addBeginOfText: false),
            Is.EqualTo((int[])[.. tokenizer.Encode("a", addBeginOfText: false), 603]));
        Assert.That(tokenizer.VocabularySize, Is.EqualTo(604));
        Write("tokenizer_config.json", "{\"added_tokens_decoder\": {\"603\": {\"content\": \"<|endoftext|>\"}}}");
        Assert.That(Message(), Does.Contain("'<|endoftext|>' has the id"));
    }

    /// <summary>Files from before tokenizers 0.9 have no model.type.</summary>
    [Test]
    public void AModelWithoutATypeIsBpeWhereItHasMerges()
    {
        var json = TokenizerFixtures.ByteLevelJson("gpt2");
        Write("tokenizer.json", json.ToJsonString());
        var ids = TokenizerLoader.Load(directory).Encode("Hello world, 12 times", addBeginOfText: false);
        json["model"]!.AsObject().Remove("type");
        Write("tokenizer.json", json.ToJsonString());
        Assert.That(TokenizerLoader.Load(directory).Encode("Hello world, 12 times", addBeginOfText: false), Is.EqualTo(ids));
        json["model"]!.AsObject().Remove("merges");
        Write("tokenizer.json", json.ToJsonString());
        Assert.That(Message(), Does.Contain("model.type is missing: only BPE is supported"));
    }

    private string Message() => Assert.Throws<UserErrorException>(() => TokenizerLoader.Load(directory))!.Message;

    private void Write(string name, string content)
    {
        var path = Path.Combine(directory, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(content));
    }

    private void WritePlainModel(Func<byte[], byte[]> change) =>
        File.WriteAllBytes(Path.Combine(directory, "tokenizer.model"),
            change(File.ReadAllBytes(TokenizerFixtures.Path("plain", "tokenizer.model"))));
}
