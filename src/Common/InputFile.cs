using System.Text.Json;

namespace Harness.Common;

/// <summary>Small files of others that are read as a whole: configurations, indices, tokenizers.</summary>
public static class InputFile
{
    /// <exception cref="UserErrorException">The file cannot be read, is empty, or is one of <see cref="ForeignFile"/>'s kinds.</exception>
    public static byte[] Read(string file)
    {
        RegularFile.Require(file);
        byte[] data;
        try
        {
            data = File.ReadAllBytes(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {file}: {e.Message}; check that it is there and its permissions", e);
        }
        if (data.Length == 0) throw new UserErrorException($"{file} is empty; fetch it again");
        ForeignFile.Refuse(file, data.AsSpan(0, Math.Min(data.Length, ForeignFile.HeadBytes)));
        return data;
    }

    /// <summary>
    /// JSON as Python's json module writes it into checkpoints: NaN, Infinity and -Infinity, which JSON does not have, become words, so
    /// that a key that is read refuses them by value. A byte-order mark, which editors on Windows leave, is passed over (RFC 8259,
    /// section 8.1).
    /// </summary>
    /// <exception cref="JsonException">It is no JSON all the same, or holds a text that is not valid Unicode.</exception>
    public static JsonDocument ParseJson(ReadOnlyMemory<byte> json)
    {
        if (json.Span.StartsWith("\uFEFF"u8)) json = json[3..];
        if (json.Span.IndexOf("NaN"u8) >= 0 || json.Span.IndexOf("Infinity"u8) >= 0) json = QuoteNonFinite(json.Span);
        JsonTexts.Check(json.Span);
        return JsonDocument.Parse(json);
    }

    private static byte[] QuoteNonFinite(ReadOnlySpan<byte> json)
    {
        var quoted = new List<byte>(json.Length + 64);
        var inText = false;
        for (var at = 0; at < json.Length;)
        {
            var length = inText ? json[at] == (byte)'\\' ? 2 : 1 : Math.Max(1, NonFinite(json[at..]));
            length = Math.Min(length, json.Length - at);
            if (json[at] == (byte)'"') inText = !inText;
            var quote = !inText && length > 1 && json[at] != (byte)'"';
            if (quote) quoted.Add((byte)'"');
            quoted.AddRange(json.Slice(at, length));
            if (quote) quoted.Add((byte)'"');
            at += length;
        }
        return [.. quoted];
    }

    /// <summary>The length of the word that the text begins with; 0 for any other.</summary>
    private static int NonFinite(ReadOnlySpan<byte> json) =>
        json.StartsWith("NaN"u8) ? 3 : json.StartsWith("Infinity"u8) ? 8 : json.StartsWith("-Infinity"u8) ? 9 : 0;
}
