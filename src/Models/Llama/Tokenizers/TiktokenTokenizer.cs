using System.Buffers.Text;
using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// Llama 3's <c>tokenizer.model</c>: a line <c>base64-bytes rank</c> for each token, the rank being its id, and 256
/// special tokens behind them that stand in no file. Follows
/// https://github.com/meta-llama/llama3/blob/main/llama/tokenizer.py and tiktoken, except that very long texts are not
/// cut up first (there at 400,000 characters, and in runs of 25,000 without white space). The name of a special token
/// in a text is ordinary text, unless a chat template rendered it.
/// </summary>
public sealed class TiktokenTokenizer : ITokenizer
{
    private const int SpecialTokenCount = 256;

    private readonly byte[]?[] tokens;
    private readonly Dictionary<string, int> ranks; // keyed by the bytes as Latin-1: a string with one character per byte
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> rankOf;
    private readonly PairMerges merges;
    private readonly PieceCache cache = new();
    private readonly SideTokens added;
    private readonly PromptFrame frame;
    private readonly FirstPiece firstPiece = SplitPatterns.ForPattern(SplitPatterns.Llama3)!;

    /// <param name="path">Named in errors.</param>
    /// <param name="checkpoint">What the files beside it say. Where they name no end, <c>&lt;|end_of_text|&gt;</c> and
    /// <c>&lt;|eot_id|&gt;</c> end generation.</param>
    /// <exception cref="UserErrorException">A line is not base64 and a number, or the ranks are not 0, 1, 2 ….</exception>
    public TiktokenTokenizer(string path, ReadOnlySpan<byte> data, CheckpointTokens? checkpoint = null)
    {
        var ranked = ReadRanks(path, data);
        ranks = new(ranked.Count);
        rankOf = ranks.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var rank = 0; rank < ranked.Count; rank++)
            if (!ranks.TryAdd(Encoding.Latin1.GetString(ranked[rank]), rank))
                throw new UserErrorException($"{path}: line {rank + 1} repeats the bytes of an earlier one; fetch the file again");
        for (var value = 0; value < 256; value++)
            if (!ranks.ContainsKey(((char)value).ToString()))
                throw new UserErrorException($"{path}: no line for the single byte 0x{value:X2}; fetch the file again");
        merges = Merges();
        SpecialTokens = NameSpecialTokens(ranked.Count);
        added = new SideTokens(path, checkpoint ?? CheckpointTokens.None, ranked.Count, name =>
            SpecialTokens.TryGetValue(name, out var id) ? id : null);
        tokens = [.. ranked, .. new byte[]?[Math.Max(SpecialTokenCount, added.VocabularySize - ranked.Count)]];
        foreach (var (id, text) in added.Texts)
            if (id >= ranked.Count) tokens[id] = text == null ? null : Encoding.UTF8.GetBytes(text);
        frame = new PromptFrame(path, checkpoint ?? CheckpointTokens.None, added.IdOf, null, SpecialTokens["<|begin_of_text|>"],
            [SpecialTokens["<|end_of_text|>"], SpecialTokens["<|eot_id|>"]]);
        var special = added.WithSpecial(checkpoint ?? CheckpointTokens.None, SpecialTokens.Keys);
        var found = new AddedTokens(special.Select(token => (token.Content, token)));
        Rendered = new RenderedTexts(path, checkpoint ?? CheckpointTokens.None, added.IdOf,
            special.Where(token => token.Special).Select(token => token.Content), text => [.. Ids(text, found.Split(text))]);
    }

    public int VocabularySize => tokens.Length;
    public int? BeginOfText => frame.Begin;
    public IReadOnlySet<int> EndOfText => frame.Ends;
    public IReadOnlyList<string> Notes => frame.Notes;
    public IRenderedTexts Rendered { get; }

    /// <summary>Ids by official name: Llama 3's, and the names that 3.1 gave to three of the reserved ones.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens { get; }

    public ITokenDecoder NewDecoder(bool continuation = false) => new ByteTokenDecoder(tokens);

    public int[] Encode(string text, bool addBeginOfText) => frame.Around(Ids(text, added.Split(text)), addBeginOfText);

    private List<int> Ids(string text, List<(Range Part, AddedToken? Token)> parts)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        foreach (var (part, token) in parts)
        {
            if (token is not null) ids.Add(token.Id);
            else EncodeText(text.AsSpan(part), ids);
        }
        return ids;
    }

    private void EncodeText(ReadOnlySpan<char> rest, List<int> ids)
    {
        while (!rest.IsEmpty)
        {
            var piece = rest[..firstPiece(rest)];
            if (!cache.TryGet(piece, out var known))
            {
                known = EncodePiece(piece);
                cache.Set(piece, known);
            }
            ids.AddRange(known);
            rest = rest[piece.Length..];
        }
    }

    private int[] EncodePiece(ReadOnlySpan<char> piece)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, utf8);
        if (ranks.TryGetValue(Encoding.Latin1.GetString(utf8), out var whole)) return [whole];
        var symbols = Array.ConvertAll(utf8, b => ranks[((char)b).ToString()]);
        return symbols[..merges.Apply(symbols)];
    }

    /// <summary>tiktoken merges whatever pair makes a token, the lowest rank first: here each such pair is a rule.</summary>
    private PairMerges Merges()
    {
        var rules = new PairMerges(ranks.Count * 4);
        foreach (var (bytes, rank) in ranks)
            for (var cut = 1; cut < bytes.Length; cut++)
                if (rankOf.TryGetValue(bytes.AsSpan(0, cut), out var left) && rankOf.TryGetValue(bytes.AsSpan(cut), out var right))
                    rules.Set(left, right, rank, rank);
        return rules;
    }

    private static List<byte[]> ReadRanks(string path, ReadOnlySpan<byte> data)
    {
        var ranked = new List<byte[]>();
        var lineNumber = 0;
        foreach (var range in data.Split((byte)'\n'))
        {
            lineNumber++;
            var line = data[range].TrimEnd((byte)'\r');
            if (line.IsEmpty) continue;
            var space = Math.Max(0, line.IndexOf((byte)' '));
            if (!TryDecode(line[..space], out var bytes)
                || !int.TryParse(line[(space + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var rank))
                throw new UserErrorException($"{path}: line {lineNumber} '{Encoding.Latin1.GetString(line[..Math.Min(60, line.Length)])}' "
                    + "is not base64, a space and a rank; fetch the file again");
            if (rank != ranked.Count)
                throw new UserErrorException($"{path}: line {lineNumber} has the rank {rank} where {ranked.Count} must follow; fetch the "
                    + "file again");
            ranked.Add(bytes);
        }
        return ranked;
    }

    private static bool TryDecode(ReadOnlySpan<byte> base64, out byte[] bytes)
    {
        var room = new byte[Base64.GetMaxDecodedFromUtf8Length(base64.Length)];
        var whole = Base64.DecodeFromUtf8(base64, room, out _, out var written) == System.Buffers.OperationStatus.Done;
        bytes = room[..written];
        return whole && written > 0;
    }

    /// <summary>Ids by official name, the first being <paramref name="first"/>.</summary>
    public static FrozenDictionary<string, int> NameSpecialTokens(int first)
    {
        string[] named =
        [
            "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
            "<|reserved_special_token_2|>", "<|reserved_special_token_3|>", "<|start_header_id|>", "<|end_header_id|>",
            "<|reserved_special_token_4|>", "<|eot_id|>",
        ];
        var reserved = Enumerable.Range(5, SpecialTokenCount - named.Length).Select(i => $"<|reserved_special_token_{i}|>");
        var ids = named.Concat(reserved).Select((name, i) => (name, id: first + i)).ToDictionary(n => n.name, n => n.id);
        ids["<|finetune_right_pad_id|>"] = first + 4;
        ids["<|eom_id|>"] = first + 8;
        ids["<|python_tag|>"] = first + 10;
        return ids.ToFrozenDictionary();
    }
}
