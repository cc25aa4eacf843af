using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Runs;
using Harness.Runs.Accounting;

namespace Harness.Reports.Publishing;

/// <summary>Power over time with the windows of one start of a run; a run that was cut off and continued has several.</summary>
internal sealed record PowerTrace(int Piece, IReadOnlyList<PowerSeries> Series, IReadOnlyList<EnergyWindow> Windows)
{
    /// <summary>Whether there is anything to read: a quick look before the space is shared out.</summary>
    public static bool Exists(string run) => File.Exists(Path.Combine(run, RunDirectory.PowerFile));

    /// <exception cref="UserErrorException">A file is damaged or may not be read.</exception>
    public static IEnumerable<PowerTrace> Of(string run, int buckets)
    {
        for (var piece = 1; ; piece++)
        {
            var directory = PieceEvidence.DirectoryOf(run, piece);
            if (!Exists(directory)) yield break;
            yield return Read(directory, piece, buckets);
        }
    }

    private static PowerTrace Read(string directory, int piece, int buckets)
    {
        var power = Path.Combine(directory, RunDirectory.PowerFile);
        try
        {
            var windows = WindowsOf(Path.Combine(directory, RunDirectory.WindowsFile));
            var times = windows.Count > 0 ? windows.SelectMany(window => new[] { window.StartSeconds, window.EndSeconds }) : Rows(power).Select(row => row.Reading.TimeSeconds);
            var (start, end) = times.Aggregate((Low: double.PositiveInfinity, High: double.NegativeInfinity), (range, t) => (Math.Min(range.Low, t), Math.Max(range.High, t)));
            var envelopes = new Dictionary<string, (int Rank, PowerEnvelope Envelope)>();
            foreach (var (domain, rank, reading) in Rows(power))
            {
                // A device that several ranks read is drawn once, as its lowest rank saw it.
                if (!envelopes.TryGetValue(domain.Key, out var one) || rank < one.Rank) envelopes[domain.Key] = one = (rank, new(domain, start, end, buckets));
                if (rank == one.Rank) one.Envelope.Add(reading);
            }
            return new(piece, [.. envelopes.OrderBy(e => e.Key, NaturalOrder.Instance).Select(e => e.Value.Envelope.Series()).OfType<PowerSeries>()], windows);
        }
        catch (Exception e) when (e is UserErrorException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(e.Message, e);
        }
    }

    private static IReadOnlyList<EnergyWindow> WindowsOf(string path)
    {
        if (!File.Exists(path)) return [];
        using var text = new StreamReader(path);
        return [.. WindowRecords.Read(text, path).Select(record => record.Window)];
    }

    private static IEnumerable<(EnergyDomain Domain, int Rank, EnergyReading Reading)> Rows(string path)
    {
        using var text = new StreamReader(path);
        foreach (var row in PowerRecords.ReadRows(text, path)) yield return row;
    }
}
