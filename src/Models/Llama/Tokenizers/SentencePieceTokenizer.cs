using System.Collections.Frozen;
using System.Text;
using Harness.Tensors;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// A SentencePiece byte-pair model (LLaMA 1 and 2, Code Llama, Mistral): the same ids and the same text as Google's
/// implementation. Control pieces such as <c>&lt;/s&gt;</c> are never read from text; user-defined pieces always are.
/// </summary>
public sealed class SentencePieceTokenizer : ITokenizer
{
    const char Meta = '▁'; // U+2581, SentencePiece's visible space

    readonly SentencePieceModel model;
    readonly SentencePieceVocabulary vocabulary;
    readonly FirstCharacterIndex userDefined;
    readonly PieceCache cache = new();

    /// <param name="path">Named in errors.</param>
    /// <param name="furtherEnds">Ids that end generation besides the model's own end piece.</param>
    /// <exception cref="UserErrorException">The data are damaged or of a kind that is not supported.</exception>
    public SentencePieceTokenizer(string path, ReadOnlySpan<byte> data, IEnumerable<int>? furtherEnds = null)
    {
        model = SentencePieceModel.Parse(path, data);
        vocabulary = new SentencePieceVocabulary(path, model);
        userDefined = new FirstCharacterIndex(model.Pieces.Where(p => p.Type == PieceType.UserDefined).Select(p => p.Text));
        BeginOfText = vocabulary.Control(model.BeginPiece);
        int?[] end = [vocabulary.Control(model.EndPiece)];
        EndOfText = end.OfType<int>().Concat(furtherEnds ?? []).ToFrozenSet();
    }

    public int VocabularySize => model.Pieces.Count;
    public int? BeginOfText { get; }
    public IReadOnlySet<int> EndOfText { get; }

    public ITokenDecoder NewDecoder(bool continuation = false) => new SentencePieceDecoder(model, continuation);

    public int[] Encode(string text, bool addBeginOfText)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        if (addBeginOfText && BeginOfText is { } begin) ids.Add(begin);
        var rest = Normalize(text).AsSpan();
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
        return [.. ids];
    }

    /// <summary>Up to the first ▁ that follows something else: leading ▁s belong to the word.</summary>
    internal static int WordLength(ReadOnlySpan<char> text)
    {
        var letters = text.IndexOfAnyExcept(Meta);
        if (letters < 0) return text.Length;
        var end = text[letters..].IndexOf(Meta);
        return end < 0 ? text.Length : letters + end;
    }

    void AppendWord(ReadOnlySpan<char> word, List<int> ids)
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
    string Normalize(string text)
    {
        var rest = text.AsSpan();
        if (model.RemoveExtraWhitespaces) rest = rest.TrimStart(' ');
        if (rest.IsEmpty) return "";
        var space = model.EscapeWhitespaces ? Meta : ' ';
        var normal = new StringBuilder(text.Length + 1);
        if (model.AddDummyPrefix) normal.Append(space);
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
