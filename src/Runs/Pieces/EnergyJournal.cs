using System.Text;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Records;

namespace Harness.Runs.Pieces;

/// <summary>
/// One rank's readings as they come, in <c>energy-rank-NNN.partial.txt</c>: a line that says what is read, then readings in the form of
/// <c>power.csv</c>, of which there are more and more. Its offset to rank 0's clock is that of the start.
/// </summary>
public sealed class EnergyJournal(string directory, int rank)
{
    private readonly string _path = RunFile.EnergyJournal.OfRank(rank).In(directory);

    /// <param name="head">One line that says what is read.</param>
    public void Begin(string head) => AtomicFile.Write(_path, stream =>
    {
        using var text = new StreamWriter(stream, leaveOpen: true);
        text.Write(head + "\n");
        PowerRecords.Write(text, []);
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

    /// <summary>What a rank left, as far as it is whole; times are on the rank's own clock.</summary>
    /// <returns>
    /// The line that says what is read, empty where not even that is whole; and the readings. Null where the rank read nothing.
    /// </returns>
    public static (string Head, IReadOnlyList<SampleSeries> Readings)? Read(string directory, int rank)
    {
        var path = RunFile.EnergyJournal.OfRank(rank).In(directory);
        if (!File.Exists(path)) return null;
        var bytes = File.ReadAllBytes(path);
        // A machine that went down may have left zeros where it had not written yet.
        var written = bytes.AsSpan().IndexOf((byte)0) is >= 0 and var zeros ? zeros : bytes.Length;
        using var text = new StringReader(Encoding.UTF8.GetString(bytes, 0, bytes.AsSpan(0, written).LastIndexOf((byte)'\n') + 1));
        return (text.ReadLine() ?? "", PowerRecords.ReadWhole(text, path));
    }
}
