using System.Text;

namespace Harness.Common;

/// <summary>
/// Files that are something else than their name promises: what a download, a clone or an export left in the place of weights,
/// an index, a tokenizer or a data set. They are known by their first bytes; a new kind is one row.
/// </summary>
public static class ForeignFile
{
    /// <summary>As many bytes of a file's beginning as <see cref="Describe"/> looks at.</summary>
    public const int HeadBytes = 512;

    private static readonly (string Name, string Remedy, Func<ReadOnlySpan<byte>, bool> Is)[] s_kinds =
    [
        ("a Git LFS pointer, not the file itself", "run 'git lfs pull' where it was cloned", head =>
            head.StartsWith("version https://git-lfs"u8)),
        ("gzip-compressed", "unpack it with gunzip", head => head.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B])),
        ("zstd-compressed", "unpack it with unzstd", head => head.StartsWith((ReadOnlySpan<byte>)[0x28, 0xB5, 0x2F, 0xFD])),
        ("xz-compressed", "unpack it with unxz", head => head.StartsWith((ReadOnlySpan<byte>)[0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00])),
        ("bzip2-compressed", "unpack it with bunzip2", head =>
            head.StartsWith("BZh"u8) && head.Length > 3 && head[3] is >= (byte)'1' and <= (byte)'9'),
        ("a zip archive (PyTorch's .bin files are such, too)", "unpack it, or convert the weights to safetensors", head =>
            head.StartsWith((ReadOnlySpan<byte>)[0x50, 0x4B, 0x03, 0x04])),
        ("a 7z archive", "unpack it with 7z", head => head.StartsWith((ReadOnlySpan<byte>)[0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C])),
        ("a tar archive", "unpack it with tar", head => head.Length > 262 && head[257..].StartsWith("ustar"u8)),
        ("a Parquet table", "write it as JSON lines, for example with pandas: to_json(FILE, orient='records', lines=True)", head =>
            head.StartsWith("PAR1"u8)),
        ("an Arrow table", "write it as JSON lines, for example with datasets: to_json(FILE)", head => head.StartsWith("ARROW1"u8)),
        ("a GGUF file of llama.cpp", "fetch the model's safetensors", head => head.StartsWith("GGUF"u8)),
        ("a Python pickle", "convert it to safetensors or JSON", head => head.Length > 1 && head[0] == 0x80 && head[1] is >= 2 and <= 5),
        ("an SQLite data base", "export its table as JSON lines", head => head.StartsWith("SQLite format 3\0"u8)),
        ("UTF-32 text", "save it as UTF-8: iconv -f UTF-32 -t UTF-8", head =>
            head.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE, 0, 0]) || head.StartsWith((ReadOnlySpan<byte>)[0, 0, 0xFE, 0xFF])),
        ("UTF-16 text", "save it as UTF-8: iconv -f UTF-16 -t UTF-8", IsUtf16),
        ("a web page, as an error or a login gives it", "fetch the file again", head =>
            BeginsWith(head, "<!doctype html") || BeginsWith(head, "<html") || BeginsWith(head, "<head")),
        ("XML, as storage services answer with an error", "fetch the file again", head => BeginsWith(head, "<?xml")),
    ];

    /// <summary>What the file is, and what to do; null where the bytes are none of the kinds.</summary>
    /// <param name="head">The first bytes of the file, up to <see cref="HeadBytes"/>.</param>
    public static (string Name, string Remedy)? Describe(ReadOnlySpan<byte> head)
    {
        foreach (var (name, remedy, matches) in s_kinds)
            if (matches(head)) return (name, remedy);
        return null;
    }

    /// <exception cref="UserErrorException">The file is one of the kinds; the message names it and the remedy.</exception>
    public static void Refuse(string file, ReadOnlySpan<byte> head)
    {
        if (Describe(head) is { } kind) throw new UserErrorException($"{file} is {kind.Name}; {kind.Remedy}");
    }

    /// <summary>With a byte-order mark, or JSON in UTF-16 without one: its first character is ASCII.</summary>
    private static bool IsUtf16(ReadOnlySpan<byte> head) =>
        head.Length > 3 && (head is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..]
            || (head[0] is (byte)'{' or (byte)'[' && head[1] == 0 && head[2] != 0 && head[3] == 0)
            || (head[0] == 0 && head[1] is (byte)'{' or (byte)'[' && head[2] == 0 && head[3] != 0));

    /// <summary>Text behind white space and a byte-order mark, whatever its case.</summary>
    private static bool BeginsWith(ReadOnlySpan<byte> head, string text)
    {
        if (head.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF])) head = head[3..];
        head = head.TrimStart(" \t\r\n"u8);
        return head.Length >= text.Length && Encoding.ASCII.GetString(head[..text.Length]).Equals(text, StringComparison.OrdinalIgnoreCase);
    }
}
