using System.Collections.Frozen;
using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>What a tokenizer's own file says of where prompts begin and end.</summary>
/// <param name="Begin">In front of prompts; null for none.</param>
/// <param name="End">Behind prompts; null for none.</param>
internal readonly record struct PromptTemplate(int? Begin, int? End);

/// <summary>
/// The token in front of a prompt, the one behind it, and those that end generation: of the tokenizer's file and of the files beside it
/// as <see cref="CheckpointTokens"/> has read them, in the order of transformers 5 (<c>update_post_processor</c> of
/// tokenization_utils_tokenizers.py; <c>GenerationConfig</c>).
/// </summary>
internal sealed class PromptFrame
{
    public int? Begin { get; }
    public int? End { get; }
    public FrozenSet<int> Ends { get; }

    /// <summary>A line for each disagreement.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <param name="file">The tokenizer's, for messages.</param>
    /// <param name="idOf">The id of a token by its content.</param>
    /// <param name="template">What the file says; null where it says nothing.</param>
    /// <param name="usualBegin">In front of prompts where nothing says; null for none.</param>
    /// <param name="usualEnds">Where no file names an end.</param>
    /// <exception cref="UserErrorException">A token that is asked for has no id.</exception>
    public PromptFrame(string file, CheckpointTokens checkpoint, Func<string, int?> idOf, PromptTemplate? template, int? usualBegin,
        IEnumerable<int> usualEnds)
    {
        var notes = new List<string>();
        Begin = checkpoint.AddsBegin is { } begins
            ? begins ? Named(checkpoint.BeginToken, "bos_token") ?? template?.Begin ?? usualBegin : null
            : template is { } said ? said.Begin : usualBegin is { } usual ? Named(checkpoint.BeginToken, "bos_token") ?? usual : null;
        End = checkpoint.AddsEnd is { } ends
            ? ends ? Named(checkpoint.EndToken ?? "</s>", "eos_token") : null
            : template?.End;
        if (template is { } own && (own.Begin != Begin || own.End != End))
            notes.Add($"{file}: post_processor puts {Words(own.Begin, own.End)} around a prompt, "
                + $"the flags of tokenizer_config.json {Words(Begin, End)}; the flags go first");
        var last = checkpoint.EndToken is { } token ? idOf(token) : null;
        Ends = (checkpoint.EndIds.Count > 0 ? checkpoint.EndIds : last is { } id ? [id] : usualEnds).ToFrozenSet();
        if (checkpoint.EndToken is { } unknown && last == null)
            notes.Add($"{file}: eos_token {unknown} has no id in the tokenizer's files, and ends nothing; "
                + $"generation ends with {string.Join(", ", Ends)}");
        if (last is { } eos && !Ends.Contains(eos))
            notes.Add($"{file}: eos_token {checkpoint.EndToken} ({eos}) does not end generation outside a chat template, "
                + $"since eos_token_id is {string.Join(", ", checkpoint.EndIds)}");
        Notes = [.. checkpoint.Notes, .. notes];

        int? Named(string? content, string key) => content == null ? null
            : idOf(content) ?? throw new UserErrorException($"{file}: {key} is {content}, which has no id in the tokenizer's files; "
            + "copy all of them from where the checkpoint came from");
    }

    /// <summary>The ids of a text, as a prompt with what stands in front of it and behind it.</summary>
    public int[] Around(IReadOnlyCollection<int> ids, bool isPrompt) =>
        isPrompt ? [.. Begin is { } begin ? [begin] : (int[])[], .. ids, .. End is { } end ? [end] : (int[])[]] : [.. ids];

    private static string Words(int? begin, int? end) => (begin, end) switch
    {
        (null, null) => "nothing",
        ({ } b, null) => $"{b} in front",
        (null, { } e) => $"{e} behind",
        ({ } b, { } e) => $"{b} in front and {e} behind",
    };
}
