using System.Text;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Records;

namespace Harness.Runs.Pieces;

/// <summary>
/// One rank's readings as they come, in <c>energy-rank-NNN.partial.bin</c>: an entry that says what is read, one with the header of
/// <c>power.csv</c>, then its rows, of which there are more and more. Its offset to rank 0's clock is that of the start. Each rank has a
/// file of its own, since no two processes can append to one on shared storage.
/// </summary>
public sealed class EnergyJournal : IDisposable
{
    private readonly JournalFile _file;

    /// <param name="head">What is read.</param>
    public EnergyJournal(string directory, int rank, string head)
    {
        _file = new(RunFile.EnergyJournal.OfRank(rank).In(directory));
        _file.Append(Encoding.UTF8.GetBytes(head));
        Append(text => PowerRecords.Write(text, []));
        _file.Sync();
    }

    public void Append(IReadOnlyList<SampleSeries> readings)
    {
        if (readings.Any(series => series.Readings.Count > 0)) Append(text => PowerRecords.Append(text, readings));
    }

    /// <summary>Waits until the storage holds what was appended.</summary>
    public void Sync() => _file.Sync();

    public void Dispose() => _file.Dispose();

    /// <summary>What a rank left, as far as it is whole; times are on the rank's own clock.</summary>
    /// <returns>What is read, empty where not even that is whole; and the readings. Null where there is no such file.</returns>
    public static (string Head, IReadOnlyList<SampleSeries> Readings)? Read(string directory, int rank)
    {
        var path = RunFile.EnergyJournal.OfRank(rank).In(directory);
        if (!File.Exists(path)) return null;
        var (head, table) = ("", new MemoryStream());
        foreach (var (entry, number) in JournalFile.Read(path).Select((entry, number) => (entry, number)))
            if (number == 0) head = Encoding.UTF8.GetString(entry);
            else table.Write(entry);
        table.Position = 0;
        using var text = new StreamReader(table);
        return (head, table.Length == 0 ? [] : PowerRecords.Read(text, path));
    }

    private void Append(Action<TextWriter> rows)
    {
        using var text = new StringWriter();
        rows(text);
        _file.Append(Encoding.UTF8.GetBytes(text.ToString()));
    }
}
