using System.Text;
using Harness.Configuration;
using Harness.Energy;
using Harness.Records;
using Harness.Reporting;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Running;

/// <summary><c>harness run</c>, as every rank runs it: check, load, warm up, measure, gather, write.</summary>
internal sealed class RunJob(ResolvedConfiguration configuration, StopSignal stop)
{
    private readonly RunOptions _options = configuration.Options;

    /// <returns>The exit code, equal on every rank.</returns>
    public int Execute(ICommunicator world)
    {
        IProgressReporter progress = world.Rank == 0 ? ProgressReporter.ForConsole() : new NoProgress();
        var log = new RankLog(world.Rank, progress.Note);
        var clock = new MonotonicClock();

        using var model = new RankModel(configuration, world);
        using var root = model.IsRoot ? new RootPart(configuration, model) : null;
        var workload = Workload.Share(world, root?.Workload);
        log.Open(SharePath(world, root?.Directory.Path));

        var windows = new RankWindows(model, () => clock.Seconds);
        log.NoteOnce($"loading {model.Checkpoint.Name} as {model.Storage.Label()}, tensor parallel {model.Groups.Grid.Tensor}, pipeline stages {model.Groups.Grid.Pipeline}");
        windows.Measure("load", 0, model.Load);
        log.Note($"rank {world.Rank} on {model.Backend.Device}: read {model.Stage.BytesRead:N0} bytes of weights, {model.Stage.BytesResident:N0} resident");

        var batches = workload.Batches(_options.Batch.Size);
        using var cache = model.Stage.NewCache(Math.Max(1, batches.Select(batch => batch.Length).DefaultIfEmpty(1).Max()), workload.LongestSequence);
        var repeat = new RepeatRunner(model, workload, batches, cache, _options, stop, clock);

        windows.Measure("warmup", 0, () => repeat.WarmUp(_options.Repeats.Warmup));
        var stopped = false;
        for (var number = 1; number <= _options.Repeats.Count && !stopped; number++)
        {
            using var stage = progress.Begin(_options.Repeats.Count > 1 ? $"repeat {number}" : "generating", workload.Items.Count(item => item.Fits));
            root?.Book.BeginRepeat(number);
            windows.Measure("measured", number, () => stopped = repeat.Run(number, root?.Book, stage));
        }

        var ranks = RankWindows.Gather(world, RankRecords(model, windows, cache, SharePath(world, root?.Directory.RunId)));
        root?.Finish([.. ranks], model, stopped ? RunStatus.Interrupted : RunStatus.Complete);
        world.Barrier();
        if (stopped) log.NoteOnce($"stopped by {stop.Reason ?? "a signal to another rank"}; finished batches are kept");
        return stopped ? Verbs.ExitCode.Interrupted : Verbs.ExitCode.Success;
    }

    private static IEnumerable<RankRecord> RankRecords(RankModel model, RankWindows windows, KvCache cache, string runId) =>
        windows.All.Select(window => new RankRecord
        {
            RunId = runId,
            Repeat = window.Repeat,
            Window = window.Name,
            Rank = model.World.Rank,
            Host = model.Topology.Hosts[model.World.Rank],
            LocalRank = model.Topology.LocalRank,
            TensorRank = model.Groups.Position.TensorRank,
            Stage = model.Groups.Position.Stage,
            Replica = model.Groups.Position.Replica,
            Seconds = window.Seconds,
            BytesSent = window.Links.BytesSent,
            CollectiveWaitSeconds = window.Links.CollectiveSeconds,
            ReceiveWaitSeconds = window.Links.ReceiveSeconds,
            WeightBytesRead = model.Stage.BytesRead,
            WeightBytesResident = model.Stage.BytesResident,
            KvCacheBytes = cache.Bytes,
        });

    /// <summary>A short text of rank 0, on every rank.</summary>
    private static string SharePath(ICommunicator world, string? mine)
    {
        var bytes = new byte[4096];
        if (mine != null) Encoding.UTF8.GetBytes(mine, bytes);
        world.Broadcast(bytes, 0);
        return Encoding.UTF8.GetString(bytes).TrimEnd('\0');
    }
}
