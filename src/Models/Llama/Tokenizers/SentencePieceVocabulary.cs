using System.Text;
using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// The pieces of a SentencePiece byte-pair model as symbols and merge rules. SentencePiece merges two neighbours
/// whenever the joined text is a piece, the best score first; here every such pair is written down beforehand.
/// </summary>
internal sealed class SentencePieceVocabulary
{
    private readonly SentencePieceModel model;
    private readonly Dictionary<string, int> symbols = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> symbolOf;
    private readonly Dictionary<string, int> reserved = [];
    private readonly List<Rune> bareCharacters = []; // symbols from model.Pieces.Count on: in some piece, but no piece themselves
    private readonly PairMerges merges;
    private readonly int[] byteIds = new int[256];

    public SentencePieceVocabulary(string path, SentencePieceModel model)
    {
        this.model = model;
        symbolOf = symbols.GetAlternateLookup<ReadOnlySpan<char>>();
        var scores = new Dictionary<string, float>();
        for (var id = 0; id < model.Pieces.Count; id++)
        {
            var (text, score, type) = model.Pieces[id];
            if (type == PieceType.Unknown) Unknown = id;
            var plain = type is PieceType.Normal or PieceType.UserDefined;
            if (!(plain ? symbols : reserved).TryAdd(text, id))
                throw new UserErrorException($"{path}: piece {id} '{text}' is there twice; fetch the file again");
            if (plain) scores.Add(text, score);
        }
        // Where a reserved piece has the text of a plain one or of a character, SentencePiece gives the reserved id.
        foreach (var (text, id) in reserved)
            if (symbols.ContainsKey(text) || text.EnumerateRunes().Count() == 1) symbols[text] = id;
        for (var value = 0; model.ByteFallback && value < 256; value++) byteIds[value] = reserved[$"<0x{value:X2}>"];

        foreach (var rune in scores.Keys.SelectMany(text => text.EnumerateRunes()).Distinct())
        {
            if (!symbols.TryAdd(rune.ToString(), model.Pieces.Count + bareCharacters.Count)) continue;
            bareCharacters.Add(rune);
        }
        merges = Merges(scores);
        WordsAreSeparable = !scores.Keys.Any(CrossesWords);
    }

    public int Unknown { get; }

    /// <summary>No piece holds a ▁ behind another character, so nothing merges across the start of a word.</summary>
    public bool WordsAreSeparable { get; }

    public int? Control(string piece) =>
        reserved.TryGetValue(piece, out var id) && model.Pieces[id].Type == PieceType.Control ? id : null;

    /// <summary>The id of a piece of any type; null where there is none.</summary>
    public int? Find(string piece) =>
        reserved.TryGetValue(piece, out var id) || (symbols.TryGetValue(piece, out id) && id < model.Pieces.Count) ? id : null;

    public int Symbol(string piece) => symbols[piece];

    /// <summary>Whether a ▁ follows something other than ▁.</summary>
    public static bool CrossesWords(string text) => text.AsSpan().TrimStart('▁').Contains('▁');

    /// <summary>The ids of a stretch of normalised text, which is not empty.</summary>
    public int[] Segment(ReadOnlySpan<char> text)
    {
        var work = new int[text.Length];
        var count = 0;
        foreach (var rune in text.EnumerateRunes()) work[count++] = SymbolOf(rune);
        count = merges.Apply(work.AsSpan(0, count));

        var ids = new List<int>(count);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var symbol in work.AsSpan(0, count))
        {
            if (symbol >= 0 && symbol < model.Pieces.Count)
            {
                ids.Add(symbol);
            }
            else if (model.ByteFallback)
            {
                var rune = symbol < 0 ? new Rune(~symbol) : bareCharacters[symbol - model.Pieces.Count];
                foreach (var value in utf8[..rune.EncodeToUtf8(utf8)]) ids.Add(byteIds[value]);
            }
            else if (ids.Count == 0 || ids[^1] != Unknown)
            {
                ids.Add(Unknown);
            }
        }
        return [.. ids];
    }

    private int SymbolOf(Rune rune)
    {
        Span<char> utf16 = stackalloc char[2];
        return symbolOf.TryGetValue(utf16[..rune.EncodeToUtf16(utf16)], out var symbol) ? symbol : ~rune.Value;
    }

    private PairMerges Merges(Dictionary<string, float> scores)
    {
        // Only the order of the scores matters, and equal ones must stay equal: the leftmost pair wins then.
        var order = scores.Values.Distinct().OrderDescending().Select((score, rank) => (score, rank))
            .ToDictionary(s => s.score, s => s.rank);
        var rules = new PairMerges(scores.Count * 4);
        foreach (var (text, score) in scores)
        {
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (char.IsLowSurrogate(text[cut])) continue;
                if (symbolOf.TryGetValue(text.AsSpan(0, cut), out var left) && symbolOf.TryGetValue(text.AsSpan(cut), out var right))
                    rules.Set(left, right, order[score], symbols[text]);
            }
        }
        return rules;
    }
}
