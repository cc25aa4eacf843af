namespace Harness.Common;

/// <summary>
/// Files that are complete or absent: written under a temporary name in the same directory, flushed to the storage, renamed.
/// A rename within a directory is atomic on local disks, NFS and Lustre alike; no file lock is involved.
/// </summary>
public static class AtomicFile
{
    public const string TemporarySuffix = ".tmp";

    private static readonly EnumerationOptions s_alsoHidden = new() { AttributesToSkip = FileAttributes.None };

    /// <summary>Writes or replaces a file. Where that fails, the old file stays as it was and nothing else is left behind.</summary>
    /// <exception cref="Harness.Common.UserErrorException">The storage is full, or may not be written.</exception>
    public static void Write(string path, Action<Stream> content) => StorageFailure.Guard(path, () => Replace(path, stream =>
    {
        content(stream);
        stream.Flush(flushToDisk: true);
    }));

    /// <summary>As <see cref="Write"/>, but without waiting for the storage: of a machine that goes down the old file may stay.</summary>
    /// <exception cref="IOException">The storage is full, or the directory is gone.</exception>
    /// <exception cref="UnauthorizedAccessException">The storage may not be written.</exception>
    public static void WriteUnflushed(string path, ReadOnlySpan<byte> content)
    {
        var bytes = content.ToArray();
        Replace(path, stream => stream.Write(bytes));
    }

    /// <summary>
    /// Removes what processes that were killed while they wrote have left in a directory. The caller has the directory to itself: what
    /// somebody is writing this moment looks the same.
    /// </summary>
    /// <exception cref="IOException">One cannot be removed.</exception>
    public static void RemoveLeftovers(string directory)
    {
        foreach (var file in Directory.EnumerateFiles(directory, $".*{TemporarySuffix}", s_alsoHidden))
            if (IsTemporary(Path.GetFileName(file))) File.Delete(file);
    }

    private static void Replace(string path, Action<FileStream> content)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var temporary = Path.Combine(directory, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}{TemporarySuffix}");
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
                content(stream);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
    }

    /// <summary>Whether a file is called as those under way are: <c>.NAME.32 hexadecimal digits.tmp</c>.</summary>
    private static bool IsTemporary(string name) =>
        name.Split('.') is ["", .. { Length: > 0 }, { Length: 32 } id, "tmp"] && id.All(char.IsAsciiHexDigit);

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (IOException)
        {
            // The failure that led here is the one to report.
        }
    }
}
