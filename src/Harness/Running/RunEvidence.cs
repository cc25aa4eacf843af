using Harness.Configuration;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;
using Harness.Runs.Accounting;
using Harness.Seams;
using Harness.Sharding;

namespace Harness.Running;

/// <summary>From what ranks hand in to the evidence that a run's figures follow from.</summary>
internal static class RunEvidence
{
    /// <param name="hosts">Of every rank, in rank order.</param>
    /// <param name="reports">In rank order, their readings on rank 0's clock; a rank that was killed early has left none.</param>
    /// <returns>Without windows, of a run that goes on.</returns>
    public static EnergyEvidence Of(
        RunOptions options, BackendChoice backend, ProcessGrid grid, IReadOnlyList<string> hosts, IReadOnlyList<EnergyReport> reports)
    {
        reports = OneHostPerGpu(reports);
        var byRank = reports.ToDictionary(report => report.Rank);
        return new()
        {
            SampleIntervalSeconds = options.Energy.SampleInterval.TotalSeconds,
            Limits = new(),
            Domains = [.. reports.SelectMany(report => report.Domains).DistinctBy(domain => domain.Key)],
            Sensors = [.. reports.SelectMany(report => report.Sensors)],
            Facts = [.. reports.SelectMany(report => report.Facts)],
            Ranks = [.. hosts.Select((host, rank) => Place(rank, host, grid[rank].Replica, byRank.GetValueOrDefault(rank)))],
            WorldSize = grid.Size,
            ComputesOnGpus = !backend.IsCpu,
            MaxStartTemperatureCelsius = options.Energy.MaxStartTemperature > 0 ? options.Energy.MaxStartTemperature : null,
            RanToEnd = false,
            OriginUtc = reports.Count > 0 ? reports[0].OriginUtc : null,
            Suspensions = reports.SelectMany(report => report.Suspensions).DistinctBy(one => (one.Host, one.StartSeconds)).ToList()
                is { Count: > 0 } suspensions ? suspensions : null,
            Series = [.. reports.SelectMany(report => report.Series)],
            Phases = reports.Count > 0 && reports.All(report => report.Phases != null)
                ? [.. reports.Select(report => new RankPhases(report.Rank, report.Phases!))] : null,
        };
    }

    /// <summary>A GPU is its UUID: where ranks of two machines by name read one, it is counted on the lowest rank's, once.</summary>
    internal static IReadOnlyList<EnergyReport> OneHostPerGpu(IReadOnlyList<EnergyReport> reports)
    {
        var hosts = reports.SelectMany(report => report.Domains).Where(domain => domain.Kind == DomainKind.Gpu).GroupBy(gpu => gpu.Device)
            .ToDictionary(gpu => gpu.Key, gpu => gpu.First().Host);
        return [.. reports.Select(report => report.On(domain => domain.Kind == DomainKind.Gpu
            ? domain with { Host = hosts[domain.Device] } : domain))];
    }

    private static RankPlace Place(int rank, string host, int replica, EnergyReport? report) => report == null
        ? new(rank, host, replica, [], new(ClockOffset.Zero, ClockOffset.Zero), new(0, 0, 0, null, 0, 0))
        : new(rank, host, replica, [.. report.Domains.Select(domain => domain.Key)], report.Clock, report.Cost);
}
