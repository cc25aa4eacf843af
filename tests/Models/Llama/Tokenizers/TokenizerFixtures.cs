using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>A text and its ids; what either was made with is said in Fixtures/tokenizers/make_fixtures.py.</summary>
public sealed record TokenizerCase(string Text, int[] Ids)
{
    public override string ToString() => JsonSerializer.Serialize(Text.Length > 40 ? Text[..40] : Text);
}

internal static class TokenizerFixtures
{
    private static readonly JsonSerializerOptions s_web = new(JsonSerializerDefaults.Web);

    public static string Path(params string[] parts) =>
        System.IO.Path.Combine([AppContext.BaseDirectory, "Fixtures", "tokenizers", .. parts]);

    public static JsonNode Json(string name) => JsonNode.Parse(System.IO.File.ReadAllText(Path(name)))!;

    public static TokenizerCase[] Cases(JsonNode? list) => list.Deserialize<TokenizerCase[]>(s_web)!;

    /// <summary>byte-level.json's tokenizer with the pre-tokeniser of one of its variants.</summary>
    public static HuggingFaceTokenizer ByteLevel(string variant) => Build(ByteLevelJson(variant));

    public static JsonObject ByteLevelJson(string variant)
    {
        var fixture = Json("byte-level.json");
        var tokenizer = fixture["tokenizer"]!.DeepClone().AsObject();
        var chosen = fixture["variants"]![variant]!;
        tokenizer["pre_tokenizer"] = chosen["pre_tokenizer"]!.DeepClone();
        tokenizer["model"]!["ignore_merges"] = chosen["ignore_merges"]!.DeepClone();
        return tokenizer;
    }

    public static HuggingFaceTokenizer Build(JsonNode tokenizer, CheckpointTokens? checkpoint = null) =>
        new("tokenizer.json", Encoding.UTF8.GetBytes(tokenizer.ToJsonString()), checkpoint);

    /// <summary>A rank list of the 256 bytes and a few merges, as Llama 3's file is written.</summary>
    public static string SmallRankList(params string[] merged)
    {
        var tokens = Enumerable.Range(0, 256).Select(b => new[] { (byte)b }).Concat(merged.Select(Encoding.UTF8.GetBytes));
        return string.Concat(tokens.Select((t, rank) => $"{Convert.ToBase64String(t)} {rank}\n"));
    }

    /// <summary>One of every kind, small enough to be here, and the real ones that lie beside the repository.</summary>
    public static readonly string[] Kinds =
    [
        "plain", "user-defined", "across-words", "converted", "byte-level", "rank-list",
        "shared/tokenizers/llama2", "shared/tokenizers/llama3", "shared/tokenizers/openllama-zh-en", "shared/models/stories260K",
    ];

    /// <summary>Read once: tokenizers are immutable.</summary>
    public static ITokenizer Kind(string kind) => s_loaded.GetOrAdd(kind, Load);

    private static readonly ConcurrentDictionary<string, ITokenizer> s_loaded = new();

    private static ITokenizer Load(string kind) => kind == "byte-level" ? ByteLevel("smollm") : new OwnTokenizers().Create(File(kind));

    /// <summary>What a factory makes a tokenizer of that kind from.</summary>
    public static TokenizerFile File(string kind) => kind switch
    {
        "rank-list" => new("tokenizer.model", TokenizerFormat.Tiktoken,
            Encoding.ASCII.GetBytes(SmallRankList(" the", "th", "he", "the", "🚀", "\n\n")), CheckpointTokens.None),
        _ when kind.StartsWith("shared/") => TokenizerLoader.Find(SharedData.Path(kind.Split('/')[1..])),
        _ => TokenizerLoader.Find(Path(kind)),
    };

    /// <summary>Texts of letters, marks, spaces and symbols from all over Unicode, without U+2581 and lone surrogates.</summary>
    public static IEnumerable<string> RandomTexts(int count, int seed)
    {
        string[] odds = [" ", " ", "  ", "\n", "\r\n", "\t", "the ", "'s", "'LL", "123", "😶‍🌫️", "𝐀", "𠀀", "𝟘", "é", "e\u0301", "中文", "\0",
            "ﷺ", "<s>", "</s>"];
        var random = new Random(seed);
        for (var i = 0; i < count; i++)
        {
            var text = new StringBuilder();
            for (var n = random.Next(1, 30); n > 0; n--)
            {
                var any = new Rune(random.Next(4) == 0 ? random.Next(0xE000, 0x110000) : random.Next(0xD800));
                text.Append(random.Next(3) > 0 ? odds[random.Next(odds.Length)] : any.Value == '▁' ? "x" : any.ToString());
            }
            yield return text.ToString();
        }
    }
}
