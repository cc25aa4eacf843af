using System.Buffers;
using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>What a reference implementation makes of bytes that are not UTF-8.</summary>
internal enum InvalidUtf8
{
    /// <summary>One U+FFFD for every byte that starts no valid sequence: SentencePiece.</summary>
    PerByte,

    /// <summary>
    /// One U+FFFD for every maximal part of a sequence (Unicode 3.9, table 3-8): Python, Rust, hence tiktoken and Hugging Face's ByteLevel.
    /// </summary>
    PerMaximalPart,

    /// <summary>A run of bytes is valid as a whole, or each of its bytes becomes U+FFFD: Hugging Face's ByteFallback.</summary>
    WholeRun,
}

/// <summary>Turns bytes that come in any portions into text, holding back what could still become a character.</summary>
internal sealed class Utf8Assembler(InvalidUtf8 invalid)
{
    private byte[] pending = new byte[16];
    private int length;

    public void Append(ReadOnlySpan<byte> bytes, StringBuilder text)
    {
        if (length + bytes.Length > pending.Length) Array.Resize(ref pending, 2 * (length + bytes.Length));
        bytes.CopyTo(pending.AsSpan(length));
        length += bytes.Length;
        if (invalid != InvalidUtf8.WholeRun) Take(text, end: false);
    }

    /// <summary>The bytes so far are a run of their own: nothing that follows can complete them.</summary>
    public void EndRun(StringBuilder text)
    {
        if (length == 0) return;
        if (invalid == InvalidUtf8.WholeRun && !System.Text.Unicode.Utf8.IsValid(pending.AsSpan(0, length)))
            text.Append('\uFFFD', length);
        else
            Take(text, end: true);
        length = 0;
    }

    private void Take(StringBuilder text, bool end)
    {
        var rest = pending.AsSpan(0, length);
        Span<char> utf16 = stackalloc char[2];
        while (!rest.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(rest, out var rune, out var consumed);
            if (status == OperationStatus.NeedMoreData && !end) break;
            if (status != OperationStatus.Done && invalid != InvalidUtf8.PerMaximalPart) consumed = 1;
            text.Append(utf16[..rune.EncodeToUtf16(utf16)]);
            rest = rest[consumed..];
        }
        rest.CopyTo(pending);
        length = rest.Length;
    }
}
