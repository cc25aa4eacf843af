using Harness.Common;
using Harness.Configuration;
using Harness.Reporting;
using Harness.Runs.Carbon;
using Harness.Sharding;

namespace Harness.Running;

/// <summary><c>harness run</c>, as every rank runs it: check, load, then one measured run for each power setting.</summary>
internal sealed class RunJob(ResolvedConfiguration configuration, StopSignal stop)
{
    /// <returns>The exit code, equal on every rank.</returns>
    public int Execute(ICommunicator world)
    {
        var options = configuration.Options;
        var cells = PowerCell.Of(options.Energy);
        IProgressReporter progress = world.Rank == 0 ? ProgressReporter.ForConsole() : new NoProgress();
        var log = new RankLog(world.Rank, progress.Note);

        var carbon = world.Rank == 0 ? Carbon(options.Carbon) : null;
        using var model = new RankModel(configuration, world, progress);
        var prompts = model.IsRoot ? PromptSet.Load(options, model.Checkpoint.Config, progress) : null;
        foreach (var note in model.Checkpoint.Notes.Concat(prompts?.Notes ?? []).Distinct()) log.NoteOnce(note);
        if (model.Verified is { Count: > 0 } files)
            log.NoteOnce(FormattableString.Invariant(
                $"weights verified: {files.Count} files of {files.Sum(file => file.Bytes) / 1e9:F1} GB, alike on {model.Topology.Nodes} ")
                + FormattableString.Invariant($"nodes; for {files.Count(file => file.ConfirmedBy.Count > 0)} ")
                + "of them a checksum came with them, and says the same");
        var workload = Workload.Share(world, prompts?.Workload);
        var clock = new RankClock(world, model.Topology);
        using var energy = new RankEnergy(options.Energy, model, clock, log);
        var rank = new RankContext(options, model, clock, energy, JointStages.Of(options.Sharding, world, () => stop.Requested), log,
            progress);

        var code = ExitCode.Success;
        foreach (var cell in cells)
        {
            using var recorder = Begin(rank, cell, prompts, carbon, out var start);
            if (start.TakenBy != null)
            {
                log.NoteOnce($"{options.Output.Name}{cell.Suffix} is taken: {start.TakenBy}");
                return ExitCode.Taken;
            }
            log.Open(start.Directory);
            try
            {
                var ended = new MeasuredRun(rank, workload, start, recorder).Execute(cell);
                if (ended != ExitCode.Success) code = ended;
                if (ended == ExitCode.Interrupted) break;
            }
            catch (UserErrorException e)
            {
                recorder.Fail(e.Message);
                throw;
            }
        }
        if (code != ExitCode.Interrupted) return code;
        log.NoteOnce($"stopped by {stop.Reason ?? "a signal to another rank"}; finished batches are kept");
        return ExitCode.Interrupted;
    }

    /// <param name="prompts">On rank 0 alone, which has the run directory.</param>
    /// <param name="start">Rank 0's, on every rank.</param>
    private IRunRecorder Begin(RankContext rank, PowerCell cell, PromptSet? prompts, CarbonInputs? carbon, out RunStart start)
    {
        if (prompts == null)
        {
            start = RunStart.Share(rank.World, null);
            return new SilentRecorder();
        }
        var files = RunFiles.Open(configuration, rank.Model, prompts, cell, carbon, rank.Energy.MeteredRanks, out var takenBy);
        start = RunStart.Share(rank.World, files?.Start ?? RunStart.Taken(takenBy!));
        if (files == null) return new SilentRecorder();
        foreach (var note in files.Notes) rank.Log.NoteOnce(note);
        return files;
    }

    /// <returns>Null where no carbon figures are asked for.</returns>
    /// <exception cref="UserErrorException">A file of hourly values is damaged or does not cover this hour.</exception>
    private static CarbonInputs? Carbon(CarbonOptions carbon) =>
        carbon is not { Pue: { } pue, Embodied: { } embodied } ? null : CarbonInputs.From(
        CarbonIntensity.Parse(carbon.Intensity, Settings.Of(options => options.Carbon.Intensity).Named),
        pue, embodied, carbon.Lifetime, DateTimeOffset.UtcNow);
}
