using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Harness.Models.Llama.Configuration;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// What the files beside a tokenizer say of it: <c>generation_config.json</c>, <c>config.json</c>, <c>tokenizer_config.json</c>,
/// <c>special_tokens_map.json</c> and <c>added_tokens.json</c>, each optional, in the order of transformers
/// (<c>_from_pretrained</c> of tokenization_utils_base.py).
/// </summary>
public sealed record CheckpointTokens
{
    public static readonly CheckpointTokens None = new();

    /// <summary>Taken where no file names an end.</summary>
    public static readonly IReadOnlyList<string> UsualEnds =
        ["</s>", "<|end_of_text|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>"];

    private static readonly string[] s_otherSpecial = ["unk_token", "pad_token", "sep_token", "cls_token", "mask_token"];

    /// <summary>The ids that end generation: generation_config.json's, or else config.json's; empty where neither says.</summary>
    public IReadOnlyList<int> EndIds { get; init; } = [];

    public string? BeginToken { get; init; }
    public string? EndToken { get; init; }

    /// <summary>Whether prompts begin with <see cref="BeginToken"/>; null where no file says.</summary>
    public bool? AddsBegin { get; init; }

    /// <summary>Whether prompts end with <see cref="EndToken"/>; null where no file says.</summary>
    public bool? AddsEnd { get; init; }

    /// <summary>The tokenizer is a LlamaTokenizer, whose prompts have a begin where nothing else says.</summary>
    public bool IsLlama { get; init; }

    /// <summary>SentencePiece: the first word behind an added token gets a space in front, as at the beginning of a text.</summary>
    public bool SpaceBehindAdded { get; init; }

    /// <summary>SentencePiece: the first word of a text gets a space in front, where the model says so.</summary>
    public bool SpaceInFront { get; init; } = true;

    /// <summary>Tokens to be found in texts beside the tokenizer's own.</summary>
    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>tokenizer_config.json holds <see cref="Added"/>, so that they go before those in tokenizer.json.</summary>
    public bool AddedGoFirst { get; init; }

    /// <summary>Tokens to be found in texts that have their ids elsewhere.</summary>
    public IReadOnlyList<string> FurtherSpecial { get; init; } = [];

    /// <summary>Special tokens by the keys under which the files name them, bos_token and its like: what a chat template finds.</summary>
    public IReadOnlyDictionary<string, string> Named { get; init; } = new Dictionary<string, string>();

    /// <summary>A line for each thing that the files say and that is not followed.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <exception cref="UserErrorException">A file is there but cannot be read, or asks for something that is not done.</exception>
    public static CheckpointTokens Read(string directory)
    {
        var notes = new List<string>();
        var ends = ReadEnds(directory, notes);
        var config = Open(directory, CheckpointKeys.TokenizerConfig, notes);
        var decoder = config is { } c && !c["added_tokens_decoder"].IsNull ? c["added_tokens_decoder"] : (JsonSection?)null;
        // With added_tokens_decoder in tokenizer_config.json transformers reads neither of the other two files.
        var special = decoder == null ? Open(directory, CheckpointKeys.SpecialTokensMap, notes) : null;
        string[] further = [.. Names(special, "additional_special_tokens"), .. Names(special, "extra_special_tokens"),
            .. Names(config, "additional_special_tokens"), .. Names(config, "extra_special_tokens")];
        var (begin, end) = (Special("bos_token"), Special("eos_token"));
        var isLlama = config is { } t && !t["tokenizer_class"].IsNull
            && t["tokenizer_class"].Text().Contains("LlamaTokenizer", StringComparison.OrdinalIgnoreCase);
        return new()
        {
            EndIds = ends,
            BeginToken = begin,
            EndToken = end,
            AddsBegin = Flag("add_bos_token"),
            AddsEnd = Flag("add_eos_token"),
            IsLlama = isLlama,
            SpaceBehindAdded = Flag("legacy") ?? false,
            SpaceInFront = Flag("add_prefix_space") ?? true,
            Added = decoder is { } entries
                ? [.. entries.Members().Select(entry => AddedToken.Read(entry.Value, ParseId(entry.Key, entry.Value)))]
                : ReadAdded(directory,
                    [.. further, begin ?? "", end
                    ?? "", .. s_otherSpecial.SelectMany(key => Single(special, key).Concat(Single(config, key)))]),
            AddedGoFirst = decoder != null,
            FurtherSpecial = [.. further.Distinct()],
            Named = AllNamed(),
            Notes = notes,
        };

        Dictionary<string, string> AllNamed()
        {
            (string Key, string? Token)[] known =
            [
                ("bos_token", begin ?? (isLlama ? "<s>" : null)), ("eos_token", end ?? (isLlama ? "</s>" : null)),
                .. s_otherSpecial.Select(key => (key, Single(special, key).Concat(Single(config, key)).FirstOrDefault())),
            ];
            return known.Where(one => one.Token != null).ToDictionary(one => one.Key, one => one.Token!);
        }

        bool? Flag(string key) => config is { } section && !section[key].IsNull ? section[key].Flag(false) : null;

        string? Special(string key)
        {
            var (ours, other) = (config is { } section ? Name(section[key]) : null, special is { } map ? Name(map[key]) : null);
            if (ours != null && other != null && ours != other)
                notes.Add($"{directory}: {key} is {other} in special_tokens_map.json and {ours} in tokenizer_config.json; "
                    + "the former goes first, since the latter has no added_tokens_decoder");
            return other ?? ours;
        }
    }

    private static List<int> ReadEnds(string directory, List<string> notes)
    {
        // -1 stands for none in some checkpoints
        int[] Of(JsonSection? section) => section is { } s ? [.. Ids(s["eos_token_id"]).Where(id => id >= 0)] : [];
        var (generation, model) = (Of(Open(directory, CheckpointKeys.Generation, notes)), Of(Open(directory, null, notes, "config.json")));
        if (generation.Length > 0 && model.Length > 0 && !generation.ToHashSet().SetEquals(model))
            notes.Add($"{directory}: eos_token_id is {string.Join(", ", generation)} in generation_config.json and "
                + $"{string.Join(", ", model)} in config.json; the former goes first");
        return [.. generation.Length > 0 ? generation : model];
    }

    /// <summary><c>added_tokens.json</c>: id by content.</summary>
    private static AddedToken[] ReadAdded(string directory, string[] special)
    {
        var file = Path.Combine(directory, "added_tokens.json");
        return !File.Exists(file) ? [] : [.. JsonSection.Open(file, InputFile.Read(file)).Members().Select(entry => entry.Key.Length > 0
            ? new AddedToken(entry.Value.Id(), entry.Key, special.Contains(entry.Key), !special.Contains(entry.Key), false, false)
            : throw entry.Value.Refusal("a token that is not empty is expected"))];
    }

    private static JsonSection? Open(string directory, KeyRules? keys, List<string> notes, string name = "")
    {
        var file = Path.Combine(directory, keys?.File ?? name);
        if (!File.Exists(file)) return null;
        var section = JsonSection.Open(file, InputFile.Read(file));
        if (keys != null) notes.AddRange(keys.Check(section.Element, file));
        return section;
    }

    private static int ParseId(string key, JsonSection section) =>
        int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id < JsonSection.IdBound ? id
            : throw section.Refusal($"an id from 0 to {JsonSection.IdBound - 1} is expected as its key");

    private static IEnumerable<int> Ids(JsonSection section) =>
        section.IsNull ? [] : section.Element.ValueKind == JsonValueKind.Array ? section.Items().Select(i => i.Int()) : [section.Int()];

    /// <summary>A list, or an object of names for tokens as transformers 5 may write extra_special_tokens.</summary>
    private static IEnumerable<string> Names(JsonSection? section, string key)
    {
        if (section is not { } file || file[key].IsNull) return [];
        var tokens = file[key].Element.ValueKind == JsonValueKind.Object
            ? file[key].Members().Select(member => member.Value) : file[key].Items();
        return tokens.Select(token => Name(token) ?? throw token.Refusal("a token is expected"));
    }

    private static IEnumerable<string> Single(JsonSection? section, string key) =>
        section is { } file && Name(file[key]) is { } name ? [name] : [];

    /// <summary>A name alone, or an object as in added_tokens; LLaMA 1's first conversions have "" for none.</summary>
    private static string? Name(JsonSection section) =>
        section.IsNull ? null : (section.Element.ValueKind == JsonValueKind.Object ? section["content"] : section)
            .Text() is { Length: > 0 } name ? name : null;
}
