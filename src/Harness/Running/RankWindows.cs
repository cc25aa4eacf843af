using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Runs.Records;
using Harness.Sharding;

namespace Harness.Running;

/// <param name="Window">On this rank's clock.</param>
/// <param name="Links">What crossed the rank's links within it.</param>
/// <param name="CoreWaitShare">Of <see cref="CoreWait"/>.</param>
internal sealed record RankWindow(EnergyWindow Window, LinkStatistics Links, double? CoreWaitShare);

/// <summary>
/// The windows of one rank. An edge is: device synchronised, barrier, meter read, barrier; so that no rank's work leaks
/// from one window into the next.
/// </summary>
/// <param name="record">Told of every window that has ended, and of a measured repeat also when it begins, ending where it begins.</param>
internal sealed class RankWindows(RankModel model, RankEnergy energy, Action<EnergyWindow> record)
{
    private readonly List<RankWindow> _windows = [];

    public IReadOnlyList<RankWindow> All => _windows;

    /// <summary>Runs the work within a window of its own; every rank of the world does so together.</summary>
    /// <returns>What the work returns.</returns>
    public T Measure<T>(WindowKind kind, Func<T> work)
    {
        // A second of its kind is another window, under another name: by that its joules are asked for.
        var before = _windows.Count(one => one.Window.Kind == kind);
        var name = kind.ToString().ToLowerInvariant() + (before == 0 ? "" : FormattableString.Invariant($"-{before + 1}"));
        var result = default(T);
        var window = Measure(new EnergyWindow(name, kind, 0, 0), () => { result = work(); });
        record(window);
        return result!;
    }

    /// <summary>One measured repeat. One that is stopped is not recorded as ended: it may be continued.</summary>
    /// <param name="work">Returns whether it went to its end; equal on every rank.</param>
    /// <returns>What the work returns.</returns>
    public bool MeasureRepeat(int repeat, Func<bool> work)
    {
        var isWhole = false;
        var window = new EnergyWindow(FormattableString.Invariant($"measured-{repeat}"), WindowKind.Measured, 0, 0, repeat);
        energy.MarkClock();
        window = Measure(window, () => isWhole = work());
        energy.MarkClock();
        // What is recorded as ended must have every rank's readings on the disk.
        energy.Sync();
        model.World.Barrier();
        if (isWhole) record(window);
        return isWhole;
    }

    private EnergyWindow Measure(EnergyWindow window, Action work)
    {
        // Outside of the edges: a window has none of the time that this takes.
        var cores = CoreWait.Now();
        var start = Edge();
        if (window.Repeat != null) record(window with { StartSeconds = start, EndSeconds = start });
        var before = Links;
        work();
        window = window with { StartSeconds = start, EndSeconds = Edge() };
        _windows.Add(new(window, Links - before, CoreWait.Now().ShareSince(cores)));
        return window;
    }

    /// <summary>Rows of ranks.csv without their joules: of all ranks on rank 0, none elsewhere.</summary>
    public List<RankRecord> Gather(string runId, long? cacheBytes)
    {
        var row = model.RowOf(runId, model.World.Rank);
        var rows = _windows.Select(window => row with
        {
            Repeat = window.Window.Repeat ?? 0,
            Window = window.Window.Name,
            Seconds = window.Window.DurationSeconds,
            BytesSent = window.Links.BytesSent,
            CollectiveWaitSeconds = window.Links.CollectiveSeconds,
            ReceiveWaitSeconds = window.Links.ReceiveSeconds,
            WeightBytesRead = model.Loaded?.Stage.BytesRead,
            WeightBytesResident = model.Loaded?.Stage.BytesResident,
            KvCacheBytes = cacheBytes,
            CoreWaitShare = window.CoreWaitShare,
        });
        var all = model.World.Gather(JsonSerializer.SerializeToUtf8Bytes(rows), 0);
        return [.. (all ?? []).SelectMany(bytes => JsonSerializer.Deserialize<RankRecord[]>(bytes)!)];
    }

    /// <summary>What has crossed this rank's links; nothing before they are made.</summary>
    private LinkStatistics Links => model.Loaded?.LinkStatistics ?? default;

    private double Edge()
    {
        model.Loaded?.Backend.Synchronize();
        model.World.Barrier();
        var seconds = energy.MarkEdge();
        model.World.Barrier();
        return seconds;
    }
}
