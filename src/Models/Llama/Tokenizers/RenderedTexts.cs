using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <inheritdoc/>
internal sealed class RenderedTexts : IRenderedTexts
{
    private readonly string _file;
    private readonly FirstCharacterIndex _special;
    private readonly FirstCharacterIndex _unknown;
    private readonly Func<string, int[]> _encode;

    /// <param name="file">Named in errors.</param>
    /// <param name="idOf">The id of a token by its content.</param>
    /// <param name="special">Contents of the special tokens that <paramref name="encode"/> finds in texts.</param>
    /// <param name="encode">The ids of a text, with nothing around it.</param>
    public RenderedTexts(string file, CheckpointTokens checkpoint, Func<string, int?> idOf, IEnumerable<string> special,
        Func<string, int[]> encode)
    {
        (_file, _encode) = (file, encode);
        _special = new(special.Where(token => token.Length > 0));
        _unknown = new(checkpoint.Named.Values.Where(token => idOf(token) == null));
        EndOfTurn = checkpoint.Named.GetValueOrDefault("eos_token") is { } end ? idOf(end) : null;
    }

    public int? EndOfTurn { get; }

    public int[] Encode(string text)
    {
        if (_unknown.IndexOf(text, out var missing) >= 0)
            throw new UserErrorException($"{_file}: the chat template renders the special token {missing}, which has no id in the "
                + "tokenizer's files; copy all of them from where the checkpoint came from, or use --task plain");
        return _encode(text);
    }

    public string? SpecialTokenIn(string text) => _special.IndexOf(text, out var found) >= 0 ? found : null;

    /// <summary>
    /// The special tokens that the files beside a tokenizer name (bos_token and its like), those without an id left out: transformers adds
    /// each to the tokens that it finds in texts.
    /// </summary>
    public static IEnumerable<AddedToken> Named(CheckpointTokens checkpoint, Func<string, int?> idOf) =>
        from name in checkpoint.Named.Values.Distinct()
        let id = idOf(name)
        where id != null
        select new AddedToken(id.Value, name, true, false, false, false);
}
