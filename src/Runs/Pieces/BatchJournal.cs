using System.Security.Cryptography;
using Harness.Common;

namespace Harness.Runs.Pieces;

/// <summary>
/// Every finished batch of a start with all that is known of it, in <c>batches.partial.bin</c>: a run that was cut off is put
/// together again from these. Each entry is the length of what follows (little-endian int32), a checksum
/// (the first 4 bytes of SHA-256) and the batch's own bytes: what a machine that went down left unwritten is no entry.
/// </summary>
public sealed class BatchJournal : IDisposable
{
    private const int ChecksumBytes = 4;

    private readonly FileStream _file;

    public BatchJournal(string directory)
    {
        var path = RunFile.BatchJournal.In(directory);
        FileStream? file = null;
        StorageFailure.Guard(path, () =>
            file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0));
        _file = file!;
    }

    /// <summary>Waits until the storage holds what was appended: outside windows, since it may take a while.</summary>
    public void Sync() => StorageFailure.Guard(_file.Name, () => _file.Flush(flushToDisk: true));

    public void Append(byte[] batch) => StorageFailure.Guard(_file.Name, () =>
    {
        StorageFailure.MustBeThere(_file.Name);
        _file.Write(Entry(batch));
    });

    /// <summary>What a start left, as far as it is whole; none where it left no journal.</summary>
    public static IEnumerable<byte[]> Read(string directory)
    {
        var path = RunFile.BatchJournal.In(directory);
        if (!File.Exists(path)) yield break;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var head = new byte[sizeof(int) + ChecksumBytes];
        while (file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length)
        {
            var length = BitConverter.ToInt32(head) - ChecksumBytes;
            if (length <= 0 || length > file.Length - file.Position) yield break;
            var batch = new byte[length];
            file.ReadExactly(batch);
            if (!Checksum(batch).AsSpan().SequenceEqual(head.AsSpan(sizeof(int)))) yield break;
            yield return batch;
        }
    }

    /// <summary>Keeps these alone.</summary>
    public static void Replace(string directory, IEnumerable<byte[]> batches) =>
        AtomicFile.Write(RunFile.BatchJournal.In(directory), stream =>
    {
        foreach (var batch in batches) stream.Write(Entry(batch));
    });

    public void Dispose() => _file.Dispose();

    private static byte[] Entry(byte[] batch) => [.. BitConverter.GetBytes(ChecksumBytes + batch.Length), .. Checksum(batch), .. batch];

    private static byte[] Checksum(byte[] batch) => SHA256.HashData(batch)[..ChecksumBytes];
}
