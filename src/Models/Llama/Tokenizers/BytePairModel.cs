using System.Text;
using System.Text.Json;
using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// The model of a <c>tokenizer.json</c> of type BPE: the ids of one pre-token. Follows
/// https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/models/bpe/model.rs.
/// </summary>
internal sealed class BytePairModel
{
    private readonly Dictionary<string, int> vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> idOf;
    private readonly PairMerges merges;
    private readonly PieceCache cache = new();
    private readonly int[]? byteIds;
    private readonly int? unknown;
    private readonly bool fuseUnknown;
    private readonly bool ignoreMerges;
    private readonly bool byteLevel;

    /// <param name="byteLevel">Whether pre-tokens are mapped by <see cref="ByteAlphabet"/> first.</param>
    /// <exception cref="UserErrorException">A setting is not supported, or the vocabulary lacks what the rules name.</exception>
    public BytePairModel(JsonSection model, bool byteLevel)
    {
        // Files from before tokenizers 0.9 have no type; of the models that it knew only BPE has merges.
        if (model["type"].IsNull ? model["merges"].IsNull : model.Type != "BPE") throw model["type"].Refusal("only BPE is supported");
        model.Only("type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
            "ignore_merges", "vocab", "merges");
        foreach (var key in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (!model[key].IsNull && model[key].Text().Length > 0) throw model[key].Refusal("only null is supported");
        if (!model["dropout"].IsNull && model["dropout"].Element.GetRawText() is not ("0" or "0.0"))
            throw model["dropout"].Refusal("only null is supported");

        this.byteLevel = byteLevel;
        fuseUnknown = model["fuse_unk"].Flag(false);
        ignoreMerges = model["ignore_merges"].Flag(false);
        vocabulary = ReadVocabulary(model["vocab"]);
        idOf = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!model["unk_token"].IsNull)
            unknown = vocabulary.TryGetValue(model["unk_token"].Text(), out var id) ? id
                : throw model["unk_token"].Refusal("the vocabulary does not have it");
        if (model["byte_fallback"].Flag(false))
            byteIds = [.. Enumerable.Range(0, 256).Select(b => vocabulary.GetValueOrDefault($"<0x{b:X2}>", -1))];
        (merges, var crossing) = ReadMerges(model["merges"]);
        // The words of a text without pre-tokeniser can be merged one by one if no rule joins across their starts.
        WordsAreSeparable = !byteLevel && !ignoreMerges && !crossing && vocabulary.ContainsKey("▁");
    }

    public IReadOnlyDictionary<string, int> Vocabulary => vocabulary;

    public bool WordsAreSeparable { get; }

    /// <summary>Adds the ids of a pre-token, which is not empty.</summary>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (!cache.TryGet(piece, out var known))
        {
            known = EncodePiece(byteLevel ? ByteAlphabet.Map(piece) : piece);
            cache.Set(piece, known);
        }
        ids.AddRange(known);
    }

    private int[] EncodePiece(ReadOnlySpan<char> piece)
    {
        if (ignoreMerges && idOf.TryGetValue(piece, out var whole)) return [whole];
        var symbols = Symbols(piece);
        return symbols[..merges.Apply(symbols)];
    }

    private int[] Symbols(ReadOnlySpan<char> piece)
    {
        var symbols = new List<int>(piece.Length);
        var unknownRun = false;
        Span<char> utf16 = stackalloc char[2];
        foreach (var rune in piece.EnumerateRunes())
        {
            if (idOf.TryGetValue(utf16[..rune.EncodeToUtf16(utf16)], out var id))
            {
                if (unknownRun) symbols.Add(unknown!.Value);
                unknownRun = false;
                symbols.Add(id);
            }
            else if (!TryAddBytes(rune, symbols) && unknown is { } unknownId) // without unk_token the character is lost, there as here
            {
                if (unknownRun && !fuseUnknown) symbols.Add(unknownId);
                unknownRun = true;
            }
        }
        if (unknownRun) symbols.Add(unknown!.Value);
        return [.. symbols];
    }

    private bool TryAddBytes(Rune rune, List<int> symbols)
    {
        Span<byte> utf8 = stackalloc byte[4];
        utf8 = utf8[..rune.EncodeToUtf8(utf8)];
        if (byteIds is null) return false;
        foreach (var value in utf8)
            if (byteIds[value] < 0) return false;
        foreach (var value in utf8) symbols.Add(byteIds[value]);
        return true;
    }

    private static Dictionary<string, int> ReadVocabulary(JsonSection section)
    {
        if (section.Element.ValueKind != JsonValueKind.Object) throw section.Refusal("object expected");
        var vocabulary = new Dictionary<string, int>(section.Element.GetPropertyCount());
        foreach (var token in section.Element.EnumerateObject())
            vocabulary[token.Name] = new JsonSection(section.File, $"{section.Path}.{token.Name}", token.Value).Id();
        return vocabulary;
    }

    private (PairMerges, bool Crossing) ReadMerges(JsonSection section)
    {
        var merges = section.Items().ToList();
        var rules = new PairMerges(merges.Count);
        var (priority, crossing) = (0, false);
        foreach (var merge in merges)
        {
            var isText = merge.Element.ValueKind == JsonValueKind.String;
            if (isText && merge.Text().StartsWith("#version", StringComparison.Ordinal)) continue;
            string[] pair = !isText ? [.. merge.Items().Select(i => i.Text())] : merge.Text().Split(' ');
            if (pair.Length != 2) throw merge.Refusal("two symbols are expected");
            var joined = pair[0] + pair[1];
            crossing |= SentencePieceVocabulary.CrossesWords(joined);
            rules.Set(Id(pair[0], merge), Id(pair[1], merge), priority++, Id(joined, merge));
        }
        return (rules, crossing);
    }

    private int Id(string symbol, JsonSection merge) =>
        vocabulary.TryGetValue(symbol, out var id) ? id : throw merge.Refusal($"the vocabulary does not have '{symbol}'");
}
