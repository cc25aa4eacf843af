using System.Text.Json;
using Harness.Energy.Accounting;
using Harness.Records;
using Harness.Sharding;

namespace Harness.Running;

/// <param name="Window">On this rank's clock.</param>
/// <param name="Links">What crossed the rank's links within it.</param>
internal sealed record RankWindow(EnergyWindow Window, LinkStatistics Links);

/// <summary>
/// The windows of one rank. An edge is: device synchronised, barrier, meter read, barrier; so that no rank's work leaks
/// from one window into the next.
/// </summary>
internal sealed class RankWindows(RankModel model, RankEnergy energy)
{
    private readonly List<RankWindow> _windows = [];

    public IReadOnlyList<RankWindow> All => _windows;

    /// <summary>Runs the work within a window of its own; every rank of the world does so together.</summary>
    public EnergyWindow Measure(WindowKind kind, Action work, int? repeat = null)
    {
        var start = Edge();
        var before = model.LinkStatistics;
        work();
        var end = Edge();
        var name = kind.ToString().ToLowerInvariant();
        var window = new EnergyWindow(repeat == null ? name : FormattableString.Invariant($"{name}-{repeat}"), kind, start, end, repeat);
        _windows.Add(new(window, model.LinkStatistics - before));
        return window;
    }

    /// <summary>Rows of ranks.csv without their joules: of all ranks on rank 0, none elsewhere.</summary>
    public List<RankRecord> Gather(string runId, long cacheBytes)
    {
        var rows = _windows.Select(window => new RankRecord
        {
            RunId = runId,
            Repeat = window.Window.Repeat ?? 0,
            Window = window.Window.Name,
            Rank = model.World.Rank,
            Host = model.Topology.Hosts[model.World.Rank],
            LocalRank = model.Topology.LocalRank,
            TensorRank = model.Groups.Position.TensorRank,
            Stage = model.Groups.Position.Stage,
            Replica = model.Groups.Position.Replica,
            Seconds = window.Window.DurationSeconds,
            BytesSent = window.Links.BytesSent,
            CollectiveWaitSeconds = window.Links.CollectiveSeconds,
            ReceiveWaitSeconds = window.Links.ReceiveSeconds,
            WeightBytesRead = model.Stage.BytesRead,
            WeightBytesResident = model.Stage.BytesResident,
            KvCacheBytes = cacheBytes,
        });
        var all = model.World.Gather(JsonSerializer.SerializeToUtf8Bytes(rows), 0);
        return [.. (all ?? []).SelectMany(bytes => JsonSerializer.Deserialize<RankRecord[]>(bytes)!)];
    }

    private double Edge()
    {
        model.Backend?.Synchronize();
        model.World.Barrier();
        var seconds = energy.MarkEdge();
        model.World.Barrier();
        return seconds;
    }
}
