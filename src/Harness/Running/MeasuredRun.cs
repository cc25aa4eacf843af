using Harness.Configuration;
using Harness.Energy.Accounting;
using Harness.Energy.Control;
using Harness.Energy.Statistics;
using Harness.Planning;
using Harness.Reporting;
using Harness.Running.Work;
using Harness.Runs.Accounting;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>
/// One power setting, measured: load (once), warm-up, idle baseline, repeats, each in a window of its own; then rank 0
/// gathers what the ranks saw and writes the run directory. Every rank goes through it together.
/// </summary>
internal sealed class MeasuredRun(
    RunOptions options, RankModel model, Workload workload, RankClock clock, RankEnergy energy, StopSignal stop, RankLog log, IProgressReporter progress)
{
    private RankWindows _windows = null!;
    private int? _torn;

    /// <param name="files">On rank 0.</param>
    /// <returns>An exit code, equal on every rank.</returns>
    public int Execute(PowerCell cell, RunStart start, RunFiles? files)
    {
        using var devices = new CellDevices(cell, model, energy, log.Directory);
        if (devices.IsEnding) return ExitCode.Interrupted;
        if (devices.Refusal is { } refusal) return Refuse(cell, refusal, files);
        try
        {
            return Measure(start, files, devices);
        }
        finally
        {
            energy.Leave();
        }
    }

    private int Refuse(PowerCell cell, string refusal, RunFiles? files)
    {
        var kept = files?.Refuse(refusal) ?? 0;
        log.NoteOnce(kept == 0 ? $"skipped{cell.Suffix}: {refusal}"
            : $"not continued{cell.Suffix}: {refusal}; its {kept} finished answers stay, "
            + "and the same command goes on where the setting can be made");
        return model.World.Decide(kept > 0) ? ExitCode.Failure : ExitCode.Success;
    }

    private int Measure(RunStart start, RunFiles? files, CellDevices devices)
    {
        _windows = new(model, energy, files == null ? _ => { } : files.Record);
        energy.Begin(start.StartDirectory);
        var work = ReplicaWork.Of(options, workload, model.Groups.Position.Replica, start);
        var memory = model.MemoryFor(work.Slots, workload.LongestSequence);
        if (model.Stage == null) Load(memory);
        files?.CheckDevice(model.Backend.Device);

        using var cache = LaunchChecks.OnEveryRank(model.World, () => memory.Place(() => model.Stage!.NewCache(work.Slots, workload.LongestSequence)));
        var runner = new RepeatRunner(model, workload, work, cache, options, stop, clock, energy);

        _windows.Measure(WindowKind.Warmup, () => runner.WarmUp(options.Repeats.Warmup));
        if (model.World.Any(energy.Meter.Domains.Count > 0)) WatchIdle();
        MeasureRepeats(runner, start, files);
        var stopped = _torn != null;

        energy.End();
        if (model.World.Any(model.World.HasLackedCores))
            log.NoteOnce("at times a rank had no core of its own, and the ranks waited by sleeping: "
                + "tokens/s may be those of a shared machine");
        var evidence = Gather(stopped);
        var isPutBack = devices.PutBack();
        var ranks = _windows.Gather(model.World.Share(files?.Directory.RunId), cache.Bytes);
        files?.Finish(evidence!, ranks, _torn);
        model.World.Barrier();
        return stopped ? ExitCode.Interrupted : isPutBack ? ExitCode.Success : ExitCode.Failure;
    }

    private void Load(RankMemory memory)
    {
        log.NoteOnce($"backend {model.BackendChoice.Name}: {model.BackendChoice.Reason}");
        log.NoteOnce($"loading {model.Checkpoint.Name} as {model.Storage.Label()}, tensor parallel {options.Sharding.Tensor}, pipeline stages {options.Sharding.Pipeline}");
        _windows.Measure(WindowKind.Load, () => model.Load(memory));
        if (model.LinkObstacle is { } obstacle) log.NoteOnce($"tensors travel between ranks through host memory: {obstacle}");
        log.Note(FormattableString.Invariant(
            $"rank {model.World.Rank} on {model.Backend.Device}: {model.Stage.BytesRead / 1e6:N1} MB of weights read, {model.Stage.BytesResident / 1e6:N1} MB resident"));
    }

    /// <summary>What the devices draw when the run is ready but computes nothing.</summary>
    private void WatchIdle()
    {
        var seconds = Duration.Parse(options.Energy.IdleBaseline, "Energy:IdleBaseline");
        if (seconds > 0) _windows.Measure(WindowKind.Idle, () => clock.Clock.Wait(clock.Seconds + seconds, null));
    }

    private void MeasureRepeats(RepeatRunner runner, RunStart start, RunFiles? files)
    {
        var untilCi = options.Repeats.UntilCi.Length > 0;
        var plan = Plan();
        // Windows grow only where precision was asked for; otherwise a short one is flagged.
        var least = untilCi ? ShortestWindowSeconds() : 0;
        var joulesPerToken = (untilCi ? files?.JoulesPerToken(null, start.FinishedRepeats) : null) ?? new double?[start.FinishedRepeats];
        while (_torn == null && model.World.Decide(plan.NeedsAnother(joulesPerToken)))
        {
            var repeat = joulesPerToken.Count + 1;
            CoolDown();
            var label = plan.NeedsAnother([.. joulesPerToken, null]) || repeat > 1 ? $"repeat {repeat}" : "generating";
            files?.Book.BeginRepeat(repeat);
            using (var stage = progress.Begin(label, workload.Items.Count(item => item.Fits)))
                if (!_windows.MeasureRepeat(repeat, () => runner.Run(repeat, least - (files?.EarlierSeconds(repeat) ?? 0), files?.Book, stage))) _torn = repeat;
            joulesPerToken = (untilCi ? JoulesPerToken(files, repeat) : null) ?? new double?[repeat];
        }
    }

    /// <summary>Where no rank reads a meter there is no interval, and as many repeats as the shortest plan has are all.</summary>
    private RepeatPlan Plan()
    {
        if (Duration.ParsePercent(options.Repeats.UntilCi, "Repeats:UntilCi") is not { } width) return RepeatPlan.Fixed(options.Repeats.Count);
        var plan = RepeatPlan.UntilInterval(width, options.Repeats.Max);
        if (model.World.Any(energy.Meter.Domains.Count > 0)) return plan;
        log.NoteOnce($"--until-ci {options.Repeats.UntilCi}: no meter measures here, so there are no joules per token to be known better; "
            + $"{RepeatPlan.FewestForInterval} repeats are made, --repeats makes another number");
        return RepeatPlan.Fixed(RepeatPlan.FewestForInterval);
    }

    private void CoolDown()
    {
        var seconds = Duration.Parse(options.Energy.Cooldown, "Energy:Cooldown");
        var limit = options.Energy.MaxStartTemperature;
        if (seconds == 0 && limit == 0) return;
        _windows.Measure(WindowKind.Cooldown, () =>
        {
            clock.Clock.Wait(clock.Seconds + seconds, null);
            if (limit == 0 || energy.Meter.Domains.Count == 0) return;
            var start = Heat.WaitBelow(() => stop.Requested ? 0 : energy.WarmestCelsius, clock.Clock, limit,
                Duration.Parse(options.Energy.CooldownLimit, "Energy:CooldownLimit"));
            if (!start.Reached) log.Note(FormattableString.Invariant($"rank {model.World.Rank}: still at {start.Celsius} °C after {start.WaitedSeconds:F0} s, above --max-start-temperature {limit}"));
        });
    }

    /// <summary>
    /// Of all repeats so far, once the sensors have shown the end of the last; an earlier one that was not known may be by now. Null on
    /// other ranks than 0.
    /// </summary>
    private IReadOnlyList<double?>? JoulesPerToken(RunFiles? files, int repeats)
    {
        energy.Settle();
        return Gather(stopped: false) is { } evidence ? files!.JoulesPerToken(evidence, repeats) : null;
    }

    /// <summary>Seconds that the slowest sensor of any rank needs.</summary>
    private double ShortestWindowSeconds()
    {
        var mine = energy.Sensors.Select(sensor => new ValidityLimits().MinimumWindowSeconds(sensor.UpdateSeconds) ?? 0).DefaultIfEmpty(0).Max();
        return model.World.AllTexts(mine.ToString("R", System.Globalization.CultureInfo.InvariantCulture))
            .Max(text => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>What all ranks saw, on rank 0; null elsewhere.</summary>
    private EnergyEvidence? Gather(bool stopped)
    {
        if (energy.Gather() is not { } reports) return null;
        return RunEvidence.Of(options, model.BackendChoice, model.Groups.Grid, model.Topology.Hosts, reports) with
        {
            Windows = [.. _windows.All.Select(window => window.Window)],
            RanToEnd = !stopped,
        };
    }
}
