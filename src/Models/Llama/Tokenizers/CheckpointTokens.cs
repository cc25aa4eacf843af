using System.Text.Json;
using Harness.Tensors;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// What the files beside a tokenizer say about where texts begin and end: <c>eos_token_id</c> (a number or a list) of
/// <c>generation_config.json</c> and <c>config.json</c>; <c>eos_token</c>, <c>bos_token</c> and <c>add_bos_token</c> of
/// <c>tokenizer_config.json</c>. All three are optional.
/// </summary>
/// <param name="EndIds">The ids of all files together.</param>
/// <param name="AddsBegin">Whether prompts begin with <paramref name="BeginToken"/>, if tokenizer.json does not say.</param>
public sealed record CheckpointTokens(IReadOnlyList<int> EndIds, string? BeginToken, string? EndToken, bool AddsBegin)
{
    public static readonly CheckpointTokens None = new([], null, null, false);

    /// <summary>Taken where no file names an end.</summary>
    public static readonly IReadOnlyList<string> UsualEnds = ["</s>", "<|end_of_text|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>"];

    /// <exception cref="UserErrorException">A file is there but cannot be read.</exception>
    public static CheckpointTokens Read(string directory)
    {
        var ends = new List<int>();
        foreach (var name in (string[])["generation_config.json", "config.json"])
            if (Open(Path.Combine(directory, name)) is { } section)
                ends.AddRange(Ids(section["eos_token_id"]).Where(id => id >= 0)); // -1 stands for none in some checkpoints
        if (Open(Path.Combine(directory, "tokenizer_config.json")) is not { } tokenizer) return None with { EndIds = ends };

        var isLlama = !tokenizer["tokenizer_class"].IsNull && tokenizer["tokenizer_class"].Text().Contains("LlamaTokenizer");
        return new(ends, Name(tokenizer["bos_token"]), Name(tokenizer["eos_token"]), tokenizer["add_bos_token"].Flag(isLlama));
    }

    static JsonSection? Open(string file) => File.Exists(file) ? JsonSection.Open(file, TokenizerLoader.Read(file)) : null;

    static IEnumerable<int> Ids(JsonSection section) =>
        section.IsNull ? [] : section.Element.ValueKind == JsonValueKind.Array ? section.Items().Select(i => i.Int()) : [section.Int()];

    // A name alone, or an object as in added_tokens.
    static string? Name(JsonSection section) =>
        section.IsNull ? null : section.Element.ValueKind == JsonValueKind.Object ? section["content"].Text() : section.Text();
}
