using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Runs;

namespace Harness.Reports.Publishing;

/// <summary>Power over time with the windows of one start of a run; a run that was cut off and continued has several.</summary>
internal sealed record PowerTrace(int Piece, IReadOnlyList<PowerSeries> Series, IReadOnlyList<EnergyWindow> Windows)
{
    /// <summary>Whether there is anything to read: a quick look before the space is shared out.</summary>
    public static bool Exists(string run) => RunLayout.StartsIn(run).Any(new RunReader(run).HasSamples);

    /// <exception cref="UserErrorException">A file is damaged or may not be read.</exception>
    public static IEnumerable<PowerTrace> Of(string run, int buckets)
    {
        var reader = new RunReader(run);
        foreach (var piece in RunLayout.StartsIn(run).Where(reader.HasSamples)) yield return Read(reader, piece, buckets);
    }

    private static PowerTrace Read(RunReader reader, int piece, int buckets)
    {
        IReadOnlyList<EnergyWindow> windows = reader.Has(RunFile.Windows, piece)
            ? [.. reader.Windows(piece).Select(record => record.Window)] : [];
        var times = windows.Count > 0 ? windows.SelectMany(window => new[] { window.StartSeconds, window.EndSeconds })
            : reader.SampleRows(piece).Select(row => row.Reading.TimeSeconds);
        var (start, end) = times.Aggregate((Low: double.PositiveInfinity, High: double.NegativeInfinity),
            (range, t) => (Math.Min(range.Low, t), Math.Max(range.High, t)));
        var envelopes = new Dictionary<string, (int Rank, PowerEnvelope Envelope)>();
        foreach (var (domain, rank, reading) in reader.SampleRows(piece).SelectMany(Powers))
        {
            // A device that several ranks read is drawn once, as its lowest rank saw it.
            if (!envelopes.TryGetValue(domain.Key, out var one) || rank < one.Rank)
                envelopes[domain.Key] = one = (rank, new(domain, start, end, buckets));
            if (rank == one.Rank) one.Envelope.Add(reading);
        }
        var series = envelopes.OrderBy(entry => entry.Key, NaturalOrder.Instance).Select(entry => entry.Value.Envelope.Series());
        return new(piece, [.. series.OfType<PowerSeries>()], windows);
    }

    /// <summary>The module's power beside its GPU's is a line of its own.</summary>
    private static IEnumerable<(EnergyDomain Domain, int Rank, EnergyReading Reading)> Powers(
        (EnergyDomain Domain, int Rank, EnergyReading Reading) row)
    {
        yield return row;
        if (row.Reading.ModulePowerWatts is { } watts)
            yield return (row.Domain with { Device = $"{row.Domain.Device} module", Kind = DomainKind.Module }, row.Rank,
                new() { TimeSeconds = row.Reading.TimeSeconds, PowerWatts = watts });
    }
}
