using System.Globalization;
using System.Text.Json;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Records;

namespace Harness.Running.Pieces;

/// <summary>
/// One rank's readings as they come, in <c>energy-rank-NNN.partial.txt</c>: an <see cref="EnergyReport"/> that grows, a line of JSON and
/// then readings in the form of power.csv. Its offset to rank 0's clock is that of the start.
/// </summary>
internal sealed class EnergyJournal(string directory, int rank)
{
    private static string NameOf(int rank) => string.Create(CultureInfo.InvariantCulture, $"energy-rank-{rank:000}.partial.txt");

    private readonly string _path = Path.Combine(directory, NameOf(rank));

    public void Begin(EnergyReport report) => AtomicFile.Write(_path, stream =>
    {
        using var text = new StreamWriter(stream, leaveOpen: true);
        text.Write(JsonSerializer.Serialize(report) + "\n");
        PowerRecords.Write(text, report.Series);
    });

    public void Append(IReadOnlyList<SampleSeries> readings) => StorageFailure.Guard(_path, () =>
    {
        using var text = File.AppendText(_path);
        PowerRecords.Append(text, readings);
    });

    /// <summary>Waits until the storage holds what was appended.</summary>
    public void Sync() => StorageFailure.Guard(_path, () =>
    {
        using var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        file.Flush(flushToDisk: true);
    });

    /// <summary>Of every rank that left one; times still on each rank's own clock.</summary>
    public static IEnumerable<EnergyReport> Read(string directory, int ranks)
    {
        for (var rank = 0; rank < ranks; rank++)
        {
            var path = Path.Combine(directory, NameOf(rank));
            if (!File.Exists(path)) continue;
            var bytes = File.ReadAllBytes(path);
            // A machine that went down may have left zeros where it had not written yet.
            var written = bytes.AsSpan().IndexOf((byte)0) is >= 0 and var zeros ? zeros : bytes.Length;
            if (bytes.AsSpan(0, written).LastIndexOf((byte)'\n') is > 0 and var end) yield return Parse(bytes[..(end + 1)]);
        }
    }

    private static EnergyReport Parse(byte[] bytes)
    {
        using var text = new StreamReader(new MemoryStream(bytes));
        var report = JsonSerializer.Deserialize<EnergyReport>(text.ReadLine()!)!;
        return report with { Series = PowerRecords.Read(text, $"samples of rank {report.Rank}") };
    }
}
