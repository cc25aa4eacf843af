using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>Tokens that are byte strings, joined; null is a token without text. tiktoken and ByteLevel.</summary>
internal sealed class ByteTokenDecoder(IReadOnlyList<byte[]?> tokens) : ITokenDecoder
{
    private readonly Utf8Assembler bytes = new(InvalidUtf8.PerMaximalPart);
    private readonly StringBuilder text = new();

    public string Append(int token)
    {
        if ((uint)token < (uint)tokens.Count && tokens[token] is { } part) bytes.Append(part, text);
        return Taken();
    }

    public string Flush()
    {
        bytes.EndRun(text);
        return Taken();
    }

    private string Taken()
    {
        if (text.Length == 0) return "";
        var taken = text.ToString();
        text.Clear();
        return taken;
    }
}
