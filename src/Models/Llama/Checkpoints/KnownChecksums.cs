using Harness.Common;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>What others say of a file's content.</summary>
/// <param name="Sha256">In lower-case hexadecimal digits.</param>
/// <param name="Source">Who says so: a file, or a name.</param>
public sealed record KnownChecksum(string Sha256, string Source);

/// <summary>
/// Checksums that came with a checkpoint: a list beside it as sha256sum writes it; what huggingface_hub noted when it fetched a file into a
/// directory (the second line of <c>.cache/huggingface/download/FILE.metadata</c>, an etag, is the SHA-256 of a file in large storage); the
/// name of the blob to which the hub's own cache links a file.
/// </summary>
public static class KnownChecksums
{
    private const int Digits = 64;

    private static readonly string[] s_lists = ["SHA256SUMS", "SHA256SUMS.txt", "sha256sums.txt", "sha256sum.txt", "checksums.sha256"];

    /// <returns>One for each source that has one of the file.</returns>
    public static IReadOnlyList<KnownChecksum> Of(string path)
    {
        var (directory, name) = (Path.GetDirectoryName(Path.GetFullPath(path))!, Path.GetFileName(path));
        List<KnownChecksum> known = [.. s_lists.Select(list => Path.Combine(directory, list)).Where(File.Exists)
            .SelectMany(list => FromList(list, name))];
        var metadata = Path.Combine(directory, ".cache", "huggingface", "download", $"{name}.metadata");
        if (File.Exists(metadata) && Lines(metadata) is [_, var etag, ..] && Checksum(etag.Trim().Trim('"')) is { } noted)
            known.Add(new(noted, metadata));
        if (new FileInfo(path).LinkTarget is { } target && Checksum(Path.GetFileName(target)) is { } blob)
            known.Add(new(blob, $"the hub's cache, {target}"));
        return known;
    }

    /// <summary>Lines of 64 digits, a space, a space or an asterisk, and a name.</summary>
    private static IEnumerable<KnownChecksum> FromList(string list, string name)
    {
        foreach (var line in Lines(list))
            if (line.Length > Digits + 2 && line[Digits] == ' ' && Checksum(line[..Digits]) is { } checksum
                && line[(Digits + 2)..].Trim() is var named && (named == name || named == $"./{name}"))
                yield return new(checksum, list);
    }

    private static string[] Lines(string path)
    {
        using var text = new StreamReader(new MemoryStream(InputFile.Read(path)));
        return text.ReadToEnd().Split('\n');
    }

    private static string? Checksum(string text) =>
        text.Length == Digits && text.All(char.IsAsciiHexDigit) ? text.ToLowerInvariant() : null;
}
