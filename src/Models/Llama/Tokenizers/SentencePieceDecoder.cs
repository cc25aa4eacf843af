using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>SentencePieceProcessor::Decode of sentencepiece_processor.cc, one id at a time.</summary>
/// <param name="added">Texts of added tokens by id; null for those that give none.</param>
internal sealed class SentencePieceDecoder(SentencePieceModel model, IReadOnlyDictionary<int, string?> added, bool continuation)
    : ITokenDecoder
{
    private const char Meta = '▁';

    private readonly Utf8Assembler bytes = new(InvalidUtf8.PerByte);
    private readonly StringBuilder text = new();
    private bool pastStart = continuation;

    public string Append(int token)
    {
        if (added.TryGetValue(token, out var content))
        {
            bytes.EndRun(text);
            text.Append(content);
            return Taken();
        }
        if ((uint)token >= (uint)model.Pieces.Count) return "";
        var piece = model.Pieces[token];
        if (piece.Type == PieceType.Byte)
        {
            // The piece's name is its value: <0x0A>.
            bytes.Append([byte.Parse(piece.Text.AsSpan(3, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)], text);
            return Taken();
        }
        bytes.EndRun(text);
        pastStart |= text.Length > 0;
        if (piece.Type == PieceType.Unknown) text.Append(model.UnknownSurface);
        else if (piece.Type != PieceType.Control) AppendPlain(piece.Text);
        return Taken();
    }

    public string Flush()
    {
        bytes.EndRun(text);
        return Taken();
    }

    /// <summary>
    /// The encoder put one space in front of the text; here it is taken off again. A model that also removes extra
    /// whitespace has no other space at the start, so there every piece before the first text loses its own.
    /// </summary>
    private void AppendPlain(ReadOnlySpan<char> piece)
    {
        if (!pastStart && (model.AddDummyPrefix || model.RemoveExtraWhitespaces) && piece[0] == Meta)
        {
            piece = piece[1..];
            pastStart = !model.RemoveExtraWhitespaces;
        }
        foreach (var c in piece) text.Append(c == Meta ? ' ' : c);
    }

    private string Taken()
    {
        if (text.Length == 0) return "";
        pastStart = true;
        var taken = text.ToString();
        text.Clear();
        return taken;
    }
}
