using System.Globalization;
using Harness.Energy.Records;
using Harness.Records;

namespace Harness.Running.Pieces;

/// <summary>
/// One rank's readings as they come, in <c>energy-rank-NNN.partial.txt</c>: an <see cref="EnergyReport"/> that grows. Its
/// offset to rank 0's clock is that of the start.
/// </summary>
internal sealed class EnergyJournal(string directory, int rank)
{
    private static string NameOf(int rank) => string.Create(CultureInfo.InvariantCulture, $"energy-rank-{rank:000}.partial.txt");

    private readonly string _path = Path.Combine(directory, NameOf(rank));

    public void Begin(EnergyReport report) => AtomicFile.Write(_path, stream => stream.Write(report.Serialize()));

    public void Append(IReadOnlyList<SampleSeries> readings) => StorageFailure.Guard(_path, () =>
    {
        using var text = File.AppendText(_path);
        PowerRecords.Append(text, readings);
    });

    /// <summary>Of every rank that left one; times still on each rank's own clock.</summary>
    public static IEnumerable<EnergyReport> Read(string directory, int ranks)
    {
        for (var rank = 0; rank < ranks; rank++)
        {
            var path = Path.Combine(directory, NameOf(rank));
            if (!File.Exists(path)) continue;
            var bytes = File.ReadAllBytes(path);
            yield return EnergyReport.Deserialize(bytes[..(bytes.AsSpan().LastIndexOf((byte)'\n') + 1)]);
        }
    }
}
