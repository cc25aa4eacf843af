using Harness.Records;

namespace Harness.Running.Pieces;

/// <summary>
/// Every finished batch of a piece with all that is known of it, in <c>batches.partial.bin</c>: a run that was cut off is put
/// together again from these. Each entry is its length (little-endian int32) and a <see cref="BatchReport"/>.
/// </summary>
internal sealed class BatchJournal : IDisposable
{
    public const string FileName = "batches.partial.bin";

    private readonly FileStream _file;

    public BatchJournal(string directory)
    {
        var path = Path.Combine(directory, FileName);
        FileStream? file = null;
        StorageFailure.Guard(path, () => file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0));
        _file = file!;
    }

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
            if (length <= 0 || at + length > bytes.Length) yield break;
            yield return BatchReport.Deserialize(bytes[at..(at += length)]);
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
        return [.. BitConverter.GetBytes(body.Length), .. body];
    }
}
