namespace Harness.Common;

/// <summary>
/// Files that are complete or absent: written under a temporary name in the same directory, flushed to the storage, renamed.
/// A rename within a directory is atomic on local disks, NFS and Lustre alike; no file lock is involved.
/// </summary>
public static class AtomicFile
{
    public const string TemporarySuffix = ".tmp";

    /// <summary>Writes or replaces a file. Where that fails, the old file stays as it was and nothing else is left behind.</summary>
    /// <exception cref="Harness.Common.UserErrorException">The storage is full, or may not be written.</exception>
    public static void Write(string path, Action<Stream> content)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var temporary = Path.Combine(directory, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}{TemporarySuffix}");
        StorageFailure.Guard(path, () =>
        {
            try
            {
                using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete))
                {
                    content(stream);
                    stream.Flush(flushToDisk: true);
                }
                File.Move(temporary, path, overwrite: true);
            }
            catch
            {
                TryDelete(temporary);
                throw;
            }
        });
    }

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
