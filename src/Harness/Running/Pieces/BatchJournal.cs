using System.Security.Cryptography;
using Harness.Common;

namespace Harness.Running.Pieces;

/// <summary>
/// Every finished batch of a piece with all that is known of it, in <c>batches.partial.bin</c>: a run that was cut off is put
/// together again from these. Each entry is the length of what follows (little-endian int32), a checksum
/// (the first 4 bytes of SHA-256) and a <see cref="BatchReport"/>: what a machine that went down left unwritten is no entry.
/// </summary>
internal sealed class BatchJournal : IDisposable
{
    public const string FileName = "batches.partial.bin";

    private const int ChecksumBytes = 4;

    private readonly FileStream _file;

    public BatchJournal(string directory)
    {
        var path = Path.Combine(directory, FileName);
        FileStream? file = null;
        StorageFailure.Guard(path, () => file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0));
        _file = file!;
    }

    /// <summary>Waits until the storage holds what was appended: outside windows, since it may take a while.</summary>
    public void Sync() => StorageFailure.Guard(_file.Name, () => _file.Flush(flushToDisk: true));

    public void Append(BatchReport report) => StorageFailure.Guard(_file.Name, () => _file.Write(Entry(report)));

    /// <summary>What a piece left, as far as it is whole.</summary>
    public static IEnumerable<BatchReport> Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) yield break;
        var bytes = File.ReadAllBytes(path);
        for (var at = 0; at + sizeof(int) <= bytes.Length;)
        {
            var length = BitConverter.ToInt32(bytes, at);
            at += sizeof(int);
            if (length <= ChecksumBytes || length > bytes.Length - at) yield break;
            var body = bytes[(at + ChecksumBytes)..(at + length)];
            if (!Checksum(body).AsSpan().SequenceEqual(bytes.AsSpan(at, ChecksumBytes))) yield break;
            at += length;
            yield return BatchReport.Deserialize(body);
        }
    }

    /// <summary>Keeps these alone.</summary>
    public static void Replace(string directory, IEnumerable<BatchReport> reports) => AtomicFile.Write(Path.Combine(directory, FileName), stream =>
    {
        foreach (var report in reports) stream.Write(Entry(report));
    });

    public void Dispose() => _file.Dispose();

    private static byte[] Entry(BatchReport report)
    {
        var body = report.Serialize();
        return [.. BitConverter.GetBytes(ChecksumBytes + body.Length), .. Checksum(body), .. body];
    }

    private static byte[] Checksum(byte[] body) => SHA256.HashData(body)[..ChecksumBytes];
}
