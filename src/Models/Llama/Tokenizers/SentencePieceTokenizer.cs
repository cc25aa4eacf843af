using System.Text;
using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// A SentencePiece byte-pair model (LLaMA 1 and 2, Code Llama, Mistral): the same ids and the same text as Google's
/// implementation. Control pieces such as <c>&lt;/s&gt;</c> are not read from text, unless a file beside the model names them as added
/// tokens or a chat template rendered it; user-defined pieces always are.
/// </summary>
public sealed class SentencePieceTokenizer : ITokenizer
{
    private const char Meta = '▁'; // U+2581, SentencePiece's visible space

    private readonly SentencePieceModel model;
    private readonly SentencePieceVocabulary vocabulary;
    private readonly FirstCharacterIndex userDefined;
    private readonly PieceCache cache = new();
    private readonly SideTokens added;
    private readonly PromptFrame frame;
    private readonly CheckpointTokens checkpoint;

    /// <param name="path">Named in errors.</param>
    /// <param name="checkpoint">What the files beside it say. Where they name no end, the model's own end piece ends generation.</param>
    /// <exception cref="UserErrorException">The data are damaged or of a kind that is not supported.</exception>
    public SentencePieceTokenizer(string path, ReadOnlySpan<byte> data, CheckpointTokens? checkpoint = null)
    {
        this.checkpoint = checkpoint ?? CheckpointTokens.None;
        model = SentencePieceModel.Parse(path, data);
        vocabulary = new SentencePieceVocabulary(path, model);
        userDefined = new FirstCharacterIndex(model.Pieces.Where(p => p.Type == PieceType.UserDefined).Select(p => p.Text));
        added = new SideTokens(path, this.checkpoint, model.Pieces.Count, vocabulary.Find);
        int?[] end = [vocabulary.Control(model.EndPiece)];
        frame = new PromptFrame(path, this.checkpoint, added.IdOf, null, vocabulary.Control(model.BeginPiece), end.OfType<int>());
        var special = added.WithSpecial(this.checkpoint,
            model.Pieces.Where(piece => piece.Type is PieceType.Control or PieceType.Unknown).Select(piece => piece.Text));
        var found = new AddedTokens(special.Select(token => (token.Content, token)));
        Rendered = new RenderedTexts(path, this.checkpoint, added.IdOf,
            special.Where(token => token.Special).Select(token => token.Content), text => [.. Ids(text, found.Split(text))]);
    }

    public int VocabularySize => added.VocabularySize;
    public int? BeginOfText => frame.Begin;
    public IReadOnlySet<int> EndOfText => frame.Ends;
    public IReadOnlyList<string> Notes => frame.Notes;
    public IRenderedTexts Rendered { get; }

    public ITokenDecoder NewDecoder(bool continuation = false) => new SentencePieceDecoder(model, added.Texts, continuation);

    public int[] Encode(string text, bool addBeginOfText) => frame.Around(Ids(text, added.Split(text)), addBeginOfText);

    private List<int> Ids(string text, List<(Range Part, AddedToken? Token)> parts)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        foreach (var (part, token) in parts)
        {
            if (token is not null) ids.Add(token.Id);
            else EncodeText(text[part], checkpoint.SpaceInFront && (checkpoint.SpaceBehindAdded || part.Start.Value == 0), ids);
        }
        return ids;
    }

    /// <param name="spaceInFront">Whether the first word gets a space in front, if the model says so.</param>
    private void EncodeText(string text, bool spaceInFront, List<int> ids)
    {
        var rest = Normalize(text, spaceInFront).AsSpan();
        while (!rest.IsEmpty)
        {
            // User-defined symbols are found first and never merge with what stands beside them.
            var stretch = userDefined.IndexOf(rest, out var symbol);
            var plain = rest[..(stretch < 0 ? rest.Length : stretch)];
            while (!plain.IsEmpty)
            {
                var word = vocabulary.WordsAreSeparable ? WordLength(plain) : plain.Length;
                AppendWord(plain[..word], ids);
                plain = plain[word..];
            }
            if (stretch < 0) break;
            ids.Add(vocabulary.Symbol(symbol!));
            rest = rest[(stretch + symbol!.Length)..];
        }
    }

    /// <summary>Up to the first ▁ that follows something else: leading ▁s belong to the word.</summary>
    internal static int WordLength(ReadOnlySpan<char> text)
    {
        var letters = text.IndexOfAnyExcept(Meta);
        if (letters < 0) return text.Length;
        var end = text[letters..].IndexOf(Meta);
        return end < 0 ? text.Length : letters + end;
    }

    private void AppendWord(ReadOnlySpan<char> word, List<int> ids)
    {
        if (!cache.TryGet(word, out var known))
        {
            known = vocabulary.Segment(word);
            cache.Set(word, known);
        }
        // Without byte fallback a run of unknown characters is one unknown piece, across words too.
        if (!model.ByteFallback && ids.Count > 0 && ids[^1] == vocabulary.Unknown && known[0] == vocabulary.Unknown) known = known[1..];
        ids.AddRange(known);
    }

    /// <summary>Normalizer::Normalize of sentencepiece's normalizer.cc, for the identity.</summary>
    private string Normalize(string text, bool spaceInFront)
    {
        var rest = text.AsSpan();
        if (model.RemoveExtraWhitespaces) rest = rest.TrimStart(' ');
        if (rest.IsEmpty) return "";
        var space = model.EscapeWhitespaces ? Meta : ' ';
        var normal = new StringBuilder(text.Length + 1);
        if (model.AddDummyPrefix && spaceInFront) normal.Append(space);
        var afterSpace = model.RemoveExtraWhitespaces;
        while (!rest.IsEmpty)
        {
            var length = userDefined.Match(rest)?.Length ?? 1;
            var part = afterSpace ? rest[..length].TrimStart(' ') : rest[..length];
            foreach (var c in part) normal.Append(c == ' ' ? space : c);
            if (!part.IsEmpty) afterSpace = model.RemoveExtraWhitespaces && part[^1] == ' ';
            rest = rest[length..];
        }
        if (model.RemoveExtraWhitespaces)
        {
            var kept = normal.Length;
            while (kept > 0 && normal[kept - 1] == space) kept--;
            normal.Length = kept;
        }
        return normal.ToString();
    }
}
