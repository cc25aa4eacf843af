using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>The added tokens that stand in files beside a <c>tokenizer.model</c>, which has no room for them itself.</summary>
internal sealed class SideTokens
{
    private readonly AddedTokens _tokens;
    private readonly Dictionary<string, int> _ids = [];
    private readonly Func<string, int?> _pieces;

    private readonly IReadOnlyList<AddedToken> _listed;

    /// <summary>What each token decodes to, by id; null for special ones.</summary>
    public IReadOnlyDictionary<int, string?> Texts { get; }

    /// <summary>One more than the largest id, the model's own included.</summary>
    public int VocabularySize { get; }

    /// <param name="pieces">Ids of the model's own tokens.</param>
    /// <exception cref="UserErrorException">A token has no id, or two.</exception>
    public SideTokens(string file, CheckpointTokens checkpoint, int count, Func<string, int?> pieces)
    {
        _pieces = pieces;
        var tokens = checkpoint.Added.ToList();
        foreach (var name in checkpoint.FurtherSpecial.Where(name => !tokens.Exists(token => token.Content == name)))
            tokens.Add(new(pieces(name) ?? throw Fault($"special token '{name}' has no id"), name, true, false, false, false));
        foreach (var token in tokens)
        {
            if (pieces(token.Content) is { } own && own != token.Id) throw Fault($"the added token '{token.Content}' has the id {token.Id} "
                + $"beside it and {own} in it");
            if (!_ids.TryAdd(token.Content, token.Id)) throw Fault($"the added token '{token.Content}' is there twice");
        }
        (_listed, _tokens) = (tokens, new AddedTokens(tokens.Select(token => (token.Content, token))));
        // What the model has itself it decodes itself: a control piece gives no text, whatever lists it.
        Texts = tokens.Where(token => token.Special || pieces(token.Content) == null).DistinctBy(token => token.Id)
            .ToDictionary(token => token.Id, token => token.Special ? null : token.Content);
        VocabularySize = tokens.Select(token => token.Id + 1).Append(count).Max();

        UserErrorException Fault(string what) => new($"{file}: {what}; "
            + "copy all files of the tokenizer from where the checkpoint came from");
    }

    public int? IdOf(string content) => _ids.TryGetValue(content, out var id) ? id : _pieces(content);

    /// <summary>As <see cref="AddedTokens.Split"/>; they are looked for in the raw text.</summary>
    public List<(Range Part, AddedToken? Token)> Split(string text) => _tokens.Split(text);

    /// <summary>These, the special tokens that the files name and those of the model itself, each content once.</summary>
    /// <param name="own">Contents of the model's own special tokens.</param>
    public IReadOnlyList<AddedToken> WithSpecial(CheckpointTokens checkpoint, IEnumerable<string> own) =>
    [
        .. _listed.Concat(RenderedTexts.Named(checkpoint, IdOf))
            .Concat(own.Select(name => new AddedToken(IdOf(name)!.Value, name, true, false, false, false)))
            .DistinctBy(token => token.Content),
    ];
}
