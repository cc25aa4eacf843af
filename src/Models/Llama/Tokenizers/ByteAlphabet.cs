using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// GPT-2's writing of bytes as visible characters (bytes_to_unicode of
/// https://github.com/openai/gpt-2/blob/master/src/encoder.py): printable Latin-1 stands for itself, the rest for
/// U+0100 onwards.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] s_characters = Build();
    private static readonly Dictionary<char, byte> s_bytes = s_characters.Select((c, b) => (c, b)).ToDictionary(p => p.c, p => (byte)p.b);

    public static string Map(ReadOnlySpan<char> text)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(text)];
        Encoding.UTF8.GetBytes(text, utf8);
        return string.Create(utf8.Length, utf8, (mapped, bytes) =>
        {
            for (var i = 0; i < bytes.Length; i++) mapped[i] = s_characters[bytes[i]];
        });
    }

    /// <summary>The bytes of a token; a token with any other character is its own UTF-8, as in Hugging Face's decoder.</summary>
    public static byte[] Unmap(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
            if (!s_bytes.TryGetValue(token[i], out bytes[i])) return Encoding.UTF8.GetBytes(token);
        return bytes;
    }

    private static char[] Build()
    {
        var characters = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
            characters[b] = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)next++;
        return characters;
    }
}
