using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// What <c>decoder</c> says for a SentencePiece-like vocabulary: Replace or Metaspace, ByteFallback, Fuse, Strip, each
/// optional but in this order.
/// </summary>
internal sealed record TextDecoding(string From, string To, bool ByteFallback, int StripStart, bool FirstTokenWithoutSpaces)
{
    public static TextDecoding Read(JsonSection section)
    {
        var (decoding, stage, fused) = (new TextDecoding("", "", false, 0, false), 0, false);
        foreach (var part in PreTokenizer.Flatten(section, "decoders"))
        {
            var before = stage;
            (decoding, stage) = part.Type switch
            {
                "Replace" => (decoding.WithReplace(part), 1),
                "Metaspace" => (decoding.WithMetaspace(part), 1),
                "ByteFallback" => (decoding with { ByteFallback = true }, 2),
                "Fuse" => (decoding, 3),
                "Strip" when fused => (decoding with { StripStart = ReadStrip(part) }, 4),
                _ => throw part["type"].Refusal("this decoder is not supported here"),
            };
            if (stage <= before) throw part["type"].Refusal("decoders in this order are not supported");
            fused |= stage == 3;
        }
        // Without any decoder Hugging Face writes spaces between the tokens, which no language model means.
        return stage > 0 ? decoding : throw section.Refusal("a decoder is expected");
    }

    private TextDecoding WithReplace(JsonSection part)
    {
        part.Only("type", "pattern", "content");
        part["pattern"].Only("String");
        return this with { From = part["pattern"]["String"].Text(), To = part["content"].Text() };
    }

    private TextDecoding WithMetaspace(JsonSection part)
    {
        part.Only("type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep");
        var (meta, scheme) = PreTokenizer.ReadMetaspace(part);
        return this with { From = meta.ToString(), To = " ", FirstTokenWithoutSpaces = scheme != "never" };
    }

    private static int ReadStrip(JsonSection part)
    {
        part.Only("type", "content", "start", "stop");
        if (part["content"].Text() != " ") throw part["content"].Refusal("only a space is supported");
        if (part["stop"].Int() != 0) throw part["stop"].Refusal("only 0 is supported");
        return part["start"].Int();
    }
}

/// <summary>Decodes a SentencePiece-like <c>tokenizer.json</c>; special tokens give no text.</summary>
internal sealed class HuggingFaceDecoder(TextDecoding decoding, IReadOnlyList<string?> tokens, bool continuation) : ITokenDecoder
{
    private readonly Utf8Assembler bytes = new(InvalidUtf8.WholeRun);
    private readonly StringBuilder text = new();
    private int strip = continuation ? 0 : decoding.StripStart;
    private bool first = !continuation;

    public string Append(int token)
    {
        if ((uint)token >= (uint)tokens.Count || tokens[token] is not { } piece) return "";
        piece = decoding.From.Length == 0 ? piece
            : piece.Replace(decoding.From, first && decoding.FirstTokenWithoutSpaces ? "" : decoding.To, StringComparison.Ordinal);
        first = false;
        if (decoding.ByteFallback && ByteOf(piece) is { } value)
        {
            bytes.Append([value], text);
            return "";
        }
        bytes.EndRun(text);
        text.Append(piece);
        return Taken();
    }

    public string Flush()
    {
        bytes.EndRun(text);
        return Taken();
    }

    private static byte? ByteOf(string piece) =>
        piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>'
        && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null;

    private string Taken()
    {
        if (text.Length == 0) return "";
        var start = 0;
        while (start < text.Length && strip > 0)
        {
            if (text[start] != ' ') strip = 0;
            else (start, strip) = (start + 1, strip - 1);
        }
        var taken = text.ToString(start, text.Length - start);
        text.Clear();
        return taken;
    }
}
