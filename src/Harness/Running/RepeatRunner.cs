using Harness.Common;
using Harness.Configuration;
using Harness.Models.Llama.Generation;
using Harness.Reporting;
using Harness.Running.Work;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>Runs this replica's work, and hands what is finished to rank 0.</summary>
internal sealed class RepeatRunner(
    RankModel model, Workload workload, IReplicaWork work, KvCache cache, RunOptions options, StopSignal stop, RankClock clock, RankEnergy energy)
{
    private readonly int _prompts = workload.Items.Count(item => item.Fits);
    private readonly Generator _generator = new(model.Backend, model.Stage, model.Replica, new(
        new(options.Generation.Temperature, options.Generation.TopK, options.Generation.TopP, options.Generation.RepetitionPenalty),
        options.Generation.Seed,
        workload.EndOfText,
        options.Sharding.EffectiveMicroBatches));

    /// <summary>Generates this many batches and keeps nothing of them.</summary>
    public void WarmUp(int count)
    {
        for (var i = 0; i < count; i++)
            if (_generator.Run(work.WarmUp(i), cache, stopRequested: () => stop.Requested).Stopped) return;
    }

    /// <summary>
    /// One measured repeat: passes over the prompts until <paramref name="leastSeconds"/> are over, at least one. Rank 0 takes
    /// what all replicas finish.
    /// </summary>
    /// <returns>Whether any replica was stopped; equal on every rank.</returns>
    public bool Run(int repeat, double leastSeconds, ResultBook? book, IStageProgress progress)
    {
        using var watchdog = model.World.Name == "threads" || model.World.Size == 1 ? null : RankWatchdog.EndingProcess(
            options.Sharding.StallLimit, model.World.Rank, line => Failure.Report(new UserErrorException(line)));
        var begin = clock.Seconds;
        var stopped = false;
        for (var pass = 0; pass == 0 || (!stopped && _prompts > 0 && model.World.Decide(clock.Seconds - begin < leastSeconds)); pass++)
            stopped = Pass(repeat, pass, book, progress, watchdog);
        return stopped;
    }

    private bool Pass(int repeat, int pass, ResultBook? book, IStageProgress progress, RankWatchdog? watchdog)
    {
        var reports = new ReportStream(model.World, model.Groups.Grid);
        var leads = model.Groups.Replica.Rank == 0;
        var (stopped, done, tokens) = (false, 0, 0L);
        foreach (var job in work.Jobs(repeat, pass))
        {
            var reporter = new JobReporter(job, repeat, pass, model.Groups.Position.Replica, clock, energy, leads ? Deliver : null);
            stopped = _generator.Run(job.Schedule, cache, step =>
            {
                Alive();
                reporter.Take(step);
                Show(job.Schedule);
            }, () => stop.Requested, Alive).Stopped;
            reporter.End();
            done += job.Schedule.FinishedCount;
            tokens += job.Schedule.FinishedTokens;
            if (stopped) break;
        }
        if (leads && book == null) reports.SendEnd(stopped);
        if (book != null)
            foreach (var report in reports.TakeRest()) book.Take(report);
        return model.World.Any(stopped || reports.AnyStopped);

        void Alive()
        {
            watchdog?.Alive();
            energy.KeepNowAndThen();
        }

        void Deliver(BatchReport report)
        {
            if (book == null)
            {
                reports.Send(report);
                return;
            }
            book.Take(report);
            foreach (var other in reports.TakeArrived()) book.Take(other);
        }

        // The other replicas go as fast with their share of the prompts.
        void Show(Schedule schedule)
        {
            var (underWay, underWayTokens) = (0.0, 0L);
            foreach (var sequence in schedule.InFlight)
            {
                underWay += (double)sequence.OutputLength / sequence.MaxNewTokens;
                underWayTokens += sequence.OutputLength;
            }
            var whole = _prompts / (double)work.Prompts;
            progress.Report(new((done + schedule.FinishedCount + underWay) * whole, (long)((tokens + schedule.FinishedTokens + underWayTokens) * whole)));
        }
    }
}
