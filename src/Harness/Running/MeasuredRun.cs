using Harness.Common;
using Harness.Configuration;
using Harness.Energy.Accounting;
using Harness.Energy.Control;
using Harness.Energy.Statistics;
using Harness.Planning;
using Harness.Reporting;
using Harness.Runs.Accounting;
using Harness.Runs.Records;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>
/// One power setting, measured: load (once), warm-up, idle baseline, repeats, each in a window of its own; then rank 0
/// gathers what the ranks saw and writes the run directory. Every rank goes through it together.
/// </summary>
internal sealed class MeasuredRun(RankContext rank, Workload workload, RunStart start, IRunRecorder recorder)
{
    private readonly RunOptions _options = rank.Options;
    private readonly RankModel _model = rank.Model;
    private readonly RankWindows _windows = new(rank.Model, rank.Energy, recorder.Record);

    /// <summary>How far the run came.</summary>
    /// <param name="IsWhole">Every repeat was measured; false where a rank was told to stop.</param>
    /// <param name="Torn">The repeat that was given up, if one was.</param>
    /// <param name="CacheBytes">Of this rank's key-value cache; null where it had none yet.</param>
    private readonly record struct Outcome(bool IsWhole, int? Torn, long? CacheBytes);

    /// <returns>An exit code, equal on every rank.</returns>
    public int Execute(PowerCell cell)
    {
        using var devices = new CellDevices(cell, _model, rank.Energy, start.Directory);
        if (devices.IsEnding) return ExitCode.Interrupted;
        if (devices.Refusal is { } refusal) return Refuse(cell, refusal);
        try
        {
            return Measure(devices);
        }
        finally
        {
            rank.Energy.Leave();
        }
    }

    private int Refuse(PowerCell cell, string refusal)
    {
        var kept = recorder.Refuse(refusal);
        rank.Log.NoteOnce(kept == 0 ? $"skipped{cell.Suffix}: {refusal}"
            : $"not continued{cell.Suffix}: {refusal}; its {Figures.Count(kept, "finished answer")} {(kept == 1 ? "stays" : "stay")}, "
            + "and the same command goes on where the setting can be made");
        return rank.World.Decide(kept > 0) ? ExitCode.Failure : ExitCode.Success;
    }

    private int Measure(CellDevices devices)
    {
        rank.Energy.Begin(start.StartDirectory);
        var outcome = rank.Stages.Watched(Generate);

        rank.Energy.End();
        var (evidence, isPutBack, ranks) = rank.Stages.WatchedEnd(() => Conclude(devices, outcome));
        if (evidence != null) recorder.Finish(evidence, ranks, outcome.Torn);
        // The others wait here for as long as rank 0 writes; for rank 0, who is not here by then hangs.
        if (rank.World.Rank > 0) rank.World.Barrier();
        else
            rank.Stages.WatchedEnd(() =>
            {
                rank.World.Barrier();
                return true;
            });
        return !outcome.IsWhole ? ExitCode.Interrupted : isPutBack ? ExitCode.Success : ExitCode.Failure;
    }

    /// <returns>What all ranks saw (on rank 0), whether all devices are back, and the rows of ranks.csv.</returns>
    private (EnergyEvidence? Evidence, bool IsPutBack, IReadOnlyList<RankRecord> Ranks) Conclude(CellDevices devices, Outcome outcome)
    {
        if (rank.World.Any(rank.World.HasLackedCores))
            rank.Log.NoteOnce("at times a rank had no core of its own, and the ranks waited by sleeping: "
                + "tokens/s may be those of a shared machine");
        var evidence = Gather(outcome.IsWhole);
        return (evidence, devices.PutBack(), _windows.Gather(start.RunId, outcome.CacheBytes));
    }

    private Outcome Generate()
    {
        var conversations = _options.Dataset.Turns == 1 ? null : LaunchChecks.OnEveryRank(rank.World, () =>
            Conversations.Of(_options, workload, _model.Checkpoint.Config, start.Answers));
        var work = ReplicaWork.Of(_options, workload, rank.Replica, start, conversations);
        var memory = _model.MemoryFor(work.Slots, workload.LongestSequence);
        if ((_model.Loaded ?? Load(memory)) is not { } loaded) return new(IsWhole: false, null, null);
        recorder.CheckDevice(loaded.Backend.Device);

        using var cache = LaunchChecks.OnEveryRank(rank.World, () =>
            memory.Place(() => loaded.Stage.NewCache(work.Slots, workload.LongestSequence)));
        var runner = new RepeatRunner(rank, loaded, workload, work, cache, recorder);
        if (!_windows.Measure(WindowKind.Warmup, () => runner.WarmUp(_options.Repeats.Warmup)) || !WatchIdle())
            return new(IsWhole: false, null, cache.Bytes);
        var (isWhole, torn) = MeasureRepeats(runner);
        return new(isWhole, torn, cache.Bytes);
    }

    /// <returns>Null where a rank was told to stop meanwhile.</returns>
    private LoadedModel? Load(RankMemory memory)
    {
        rank.Log.NoteOnce($"backend {_model.BackendChoice.Name}: {_model.BackendChoice.Reason}");
        rank.Log.NoteOnce($"loading {_model.Checkpoint.Name} as {_model.Storage.Label()}, "
            + $"tensor parallel {_options.Sharding.Tensor}, pipeline stages {_options.Sharding.Pipeline}");
        if (_windows.Measure(WindowKind.Load, () => _model.Load(memory, rank.Stages, rank.Progress)) is not { } loaded) return null;
        if (loaded.LinkObstacle is { } obstacle) rank.Log.NoteOnce($"tensors travel between ranks through host memory: {obstacle}");
        var (read, resident) = (loaded.Stage.BytesRead / 1e6, loaded.Stage.BytesResident / 1e6);
        rank.Log.Note(FormattableString.Invariant(
            $"rank {rank.World.Rank} on {loaded.Backend.Device}: {read:N1} MB of weights read, {resident:N1} MB resident"));
        return loaded;
    }

    /// <summary>What the devices draw when the run is ready but computes nothing.</summary>
    /// <returns>Whether it went to its end; false where a rank was told to stop.</returns>
    private bool WatchIdle()
    {
        if (!rank.World.Any(rank.Energy.Meter.Domains.Count > 0)) return true;
        var seconds = _options.Energy.IdleBaseline.TotalSeconds;
        return seconds <= 0 || _windows.Measure(WindowKind.Idle, () => rank.Stages.Wait(seconds, rank.Clock.Clock));
    }

    /// <returns>Whether all were measured, and the repeat that was given up, if one was.</returns>
    private (bool IsWhole, int? Torn) MeasureRepeats(RepeatRunner runner)
    {
        var untilCi = _options.Repeats.UntilCi != null;
        var plan = Plan();
        // Windows grow only where precision was asked for; otherwise a short one is flagged.
        var least = untilCi ? ShortestWindowSeconds() : 0;
        var joulesPerToken = (untilCi ? recorder.JoulesPerToken(null, start.FinishedRepeats) : null) ?? new double?[start.FinishedRepeats];
        while (rank.World.Decide(plan.NeedsAnother(joulesPerToken)))
        {
            var repeat = joulesPerToken.Count + 1;
            if (!CoolDown()) return (false, null);
            var label = plan.NeedsAnother([.. joulesPerToken, null]) || repeat > 1 ? $"repeat {repeat}" : "generating";
            recorder.BeginRepeat(repeat);
            using (var stage = rank.Progress.Begin(label, StageUnit.Answers, workload.Items.Count(item => item.Fits)))
            {
                var left = least - recorder.EarlierSeconds(repeat);
                if (!_windows.MeasureRepeat(repeat, () => runner.Run(repeat, left, stage))) return (false, repeat);
            }
            joulesPerToken = (untilCi ? JoulesPerToken(repeat) : null) ?? new double?[repeat];
        }
        return (true, null);
    }

    /// <summary>Where no rank reads a meter there is no interval, and as many repeats as the shortest plan has are all.</summary>
    private RepeatPlan Plan()
    {
        if (_options.Repeats.UntilCi is not { } width) return RepeatPlan.Fixed(_options.Repeats.Count);
        var plan = RepeatPlan.UntilInterval(width, _options.Repeats.Max);
        if (rank.World.Any(rank.Energy.Meter.Domains.Count > 0)) return plan;
        rank.Log.NoteOnce($"--until-ci {Kinds.Percentage.Write(width)}: no meter measures here, so there are no joules per token to be "
            + "known "
            + $"better; {RepeatPlan.FewestForInterval} repeats are made, --repeats makes another number");
        return RepeatPlan.Fixed(RepeatPlan.FewestForInterval);
    }

    /// <returns>Whether it went to its end; false where a rank was told to stop.</returns>
    private bool CoolDown()
    {
        var seconds = _options.Energy.Cooldown.TotalSeconds;
        var limit = _options.Energy.MaxStartTemperature;
        if (seconds == 0 && limit == 0) return true;
        return _windows.Measure(WindowKind.Cooldown, () => rank.Stages.Wait(seconds, rank.Clock.Clock) && CoolBelow(limit));
    }

    private bool CoolBelow(double limit) => rank.Stages.Run(stage =>
    {
        if (limit == 0 || rank.Energy.Meter.Domains.Count == 0) return true;
        var longest = _options.Energy.CooldownLimit.TotalSeconds;
        var start = Heat.WaitBelow(Warmest, rank.Clock.Clock, limit, longest);
        if (!start.Reached)
            rank.Log.Note(FormattableString.Invariant(
                $"rank {rank.World.Rank}: still at {start.Celsius} °C after {start.WaitedSeconds:F0} s, above --max-start-temperature {limit}"));
        return !stage.IsToStop;

        // Whoever is told to stop waits for nothing.
        int? Warmest()
        {
            stage.Alive();
            return stage.IsToStop ? 0 : rank.Energy.WarmestCelsius;
        }
    });

    /// <summary>
    /// Of all repeats so far, once the sensors have shown the end of the last; an earlier one that was not known may be by now. Null on
    /// other ranks than 0.
    /// </summary>
    private IReadOnlyList<double?>? JoulesPerToken(int repeats)
    {
        rank.Energy.Settle();
        return Gather(isWhole: true) is { } evidence ? recorder.JoulesPerToken(evidence, repeats) : null;
    }

    /// <summary>Seconds that the slowest sensor of any rank needs.</summary>
    private double ShortestWindowSeconds()
    {
        var mine = rank.Energy.Sensors.Select(sensor => new ValidityLimits().MinimumWindowSeconds(sensor.UpdateSeconds) ?? 0)
            .DefaultIfEmpty(0).Max();
        return rank.World.AllTexts(mine.ToString("R", System.Globalization.CultureInfo.InvariantCulture))
            .Max(text => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>What all ranks saw, on rank 0; null elsewhere.</summary>
    private EnergyEvidence? Gather(bool isWhole)
    {
        if (rank.Energy.Gather() is not { } reports) return null;
        return RunEvidence.Of(_options, _model.BackendChoice, _model.Groups.Grid, _model.Topology.Hosts, reports) with
        {
            Windows = [.. _windows.All.Select(window => window.Window)],
            RanToEnd = isWhole,
        };
    }
}
