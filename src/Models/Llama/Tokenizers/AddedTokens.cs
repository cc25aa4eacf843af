namespace Harness.Models.Llama.Tokenizers;

/// <summary>A token that is found in texts before anything else is done to them.</summary>
/// <param name="Special">Gives no text when it is decoded.</param>
/// <param name="Normalized">Looked for in the normalised text, not in the raw one.</param>
/// <param name="StripLeft">Takes in the white space before it.</param>
/// <param name="StripRight">Takes in the white space behind it.</param>
public sealed record AddedToken(int Id, string Content, bool Special, bool Normalized, bool StripLeft, bool StripRight)
{
    /// <summary>An entry of <c>added_tokens</c> in tokenizer.json.</summary>
    internal static AddedToken Read(JsonSection token) => Read(token, token["id"].Id());

    /// <summary>An entry of <c>added_tokens_decoder</c> in tokenizer_config.json, whose key is the id.</summary>
    internal static AddedToken Read(JsonSection token, int id)
    {
        token.Only("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special", "__type");
        if (token["single_word"].Flag(false)) throw token["single_word"].Refusal("only false is supported");
        var special = token["special"].Flag(false);
        return new(id, token["content"].Text(), special, token["normalized"].Flag(!special), token["lstrip"].Flag(false),
            token["rstrip"].Flag(false));
    }
}

/// <summary>
/// Cuts a text at the added tokens in it: the leftmost first, the longest where several start, taking in white space
/// beside one that asks for it. Follows
/// https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/tokenizer/added_vocabulary.rs.
/// </summary>
internal sealed class AddedTokens
{
    private readonly FirstCharacterIndex index;
    private readonly Dictionary<string, AddedToken> tokens = [];

    /// <param name="tokens">Each with the text by which it is found.</param>
    public AddedTokens(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        foreach (var (text, token) in tokens)
            if (text.Length > 0) this.tokens.TryAdd(text, token);
        index = new FirstCharacterIndex(this.tokens.Keys);
    }

    /// <summary>The parts in order: a range of <paramref name="text"/>, and the token it is, or null for text.</summary>
    public List<(Range Part, AddedToken? Token)> Split(ReadOnlySpan<char> text)
    {
        var parts = new List<(Range, AddedToken?)>();
        var (done, from) = (0, 0);
        while (from < text.Length && index.IndexOf(text[from..], out var found) is >= 0 and var step)
        {
            var token = tokens[found!];
            var start = from + step;
            var stop = from = start + found!.Length;
            if (token.StripLeft) start = Math.Max(done, text[..start].TrimEnd().Length);
            if (token.StripRight) stop = text.Length - text[stop..].TrimStart().Length;
            if (start > done) parts.Add((done..start, null));
            parts.Add((start..stop, token));
            done = Math.Max(done, stop);
        }
        if (done < text.Length) parts.Add((done..text.Length, null));
        return parts;
    }
}
