using System.Security.Cryptography;
using Harness.Common;

namespace Harness.Runs.Pieces;

/// <summary>
/// A file of entries that only grows. Each is the length of what follows (little-endian int32), a checksum (the first 4 bytes of SHA-256)
/// and its own bytes: of a file that a machine left as it went down, what is read are the entries up to the first that is not whole.
/// </summary>
public sealed class JournalFile : IDisposable
{
    private const int ChecksumBytes = 4;

    private readonly FileStream _file;

    /// <exception cref="UserErrorException">It is there already, or the storage refuses.</exception>
    public JournalFile(string path)
    {
        FileStream? file = null;
        StorageFailure.Guard(path, () =>
            file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0));
        _file = file!;
    }

    public void Append(ReadOnlySpan<byte> content)
    {
        byte[] entry = [.. BitConverter.GetBytes(ChecksumBytes + content.Length), .. Checksum(content), .. content];
        StorageFailure.Guard(_file.Name, () =>
        {
            StorageFailure.MustBeThere(_file.Name);
            _file.Write(entry);
        });
    }

    /// <summary>Waits until the storage holds what was appended: outside windows, since it may take a while.</summary>
    public void Sync() => StorageFailure.Guard(_file.Name, () => _file.Flush(flushToDisk: true));

    public void Dispose() => _file.Dispose();

    /// <summary>The whole entries of a file, also of one that still grows; none where there is no such file.</summary>
    public static IEnumerable<byte[]> Read(string path)
    {
        if (!File.Exists(path)) yield break;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var head = new byte[sizeof(int) + ChecksumBytes];
        while (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length)
        {
            var length = BitConverter.ToInt32(head) - ChecksumBytes;
            if (length <= 0 || length > file.Length - file.Position) yield break;
            var content = new byte[length];
            file.ReadExactly(content);
            if (!Checksum(content).AsSpan().SequenceEqual(head.AsSpan(sizeof(int)))) yield break;
            yield return content;
        }
    }

    private static byte[] Checksum(ReadOnlySpan<byte> content) => SHA256.HashData(content)[..ChecksumBytes];
}
