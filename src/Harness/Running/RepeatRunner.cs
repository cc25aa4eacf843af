using Harness.Configuration;
using Harness.Models.Llama.Generation;
using Harness.Reporting;
using Harness.Sharding.Launch;
using Harness.Tensors;
using Harness.Verbs;

namespace Harness.Running;

/// <summary>Runs this replica's batches: batch b belongs to replica b mod dp.</summary>
/// <param name="finished">Batches that an earlier start of the run has done.</param>
internal sealed class RepeatRunner(
    RankModel model, Workload workload, IReadOnlyList<WorkItem[]> batches, IReadOnlySet<FinishedBatch> finished, KvCache cache, RunOptions options, StopSignal stop, RankClock clock, RankEnergy energy)
{
    private readonly int _replica = model.Groups.Position.Replica, _replicas = model.Groups.Grid.Data;
    private readonly Generator _generator = new(model.Backend, model.Stage, model.Replica, new(
        new(options.Generation.Temperature, options.Generation.TopK, options.Generation.TopP, options.Generation.RepetitionPenalty),
        options.Generation.Seed,
        workload.EndOfText,
        options.Sharding.EffectiveMicroBatches));

    /// <summary>Generates this many batches and keeps nothing of them.</summary>
    public void WarmUp(int count)
    {
        var own = Enumerable.Range(0, batches.Count).Where(batch => batch % _replicas == _replica).ToArray();
        for (var i = 0; i < count && own.Length > 0; i++)
            if (_generator.Run(Sequences(batches[own[i % own.Length]]), cache, stopRequested: () => stop.Requested).Stopped) return;
    }

    /// <summary>
    /// One measured repeat: passes over the prompts until <paramref name="leastSeconds"/> are over, at least one. Rank 0 takes
    /// the finished batches of all replicas; batches of later passes are numbered on.
    /// </summary>
    /// <returns>Whether any replica was stopped; equal on every rank.</returns>
    public bool Run(int repeat, double leastSeconds, ResultBook? book, IStageProgress progress)
    {
        using var watchdog = model.World.Name == "threads" || model.World.Size == 1 ? null : RankWatchdog.EndingProcess(
            TimeSpan.FromSeconds(Duration.Parse(options.Sharding.StallLimit, "Sharding:StallLimit")), model.World.Rank, line => Terminal.Report(new UserErrorException(line)));
        var begin = clock.Seconds;
        var stopped = false;
        for (var pass = 0; pass == 0 || (!stopped && batches.Count > 0 && model.World.Decide(clock.Seconds - begin < leastSeconds)); pass++)
            stopped = Pass(repeat, pass * batches.Count, book, progress, watchdog);
        return stopped;
    }

    private bool Pass(int repeat, int firstBatch, ResultBook? book, IStageProgress progress, RankWatchdog? watchdog)
    {
        var reports = new ReportStream(model.World, model.Groups.Grid);
        var leads = model.Groups.Replica.Rank == 0;
        var (stopped, done, tokens) = (false, 0, 0L);
        for (var round = 0; round * _replicas + _replica < batches.Count && !stopped; round++)
        {
            var batch = round * _replicas + _replica;
            if (finished.Contains(new(repeat, firstBatch + batch))) continue;
            var sequences = Sequences(batches[batch]);
            var outcome = _generator.Run(sequences, cache, Progress(sequences), () => stop.Requested);
            stopped = outcome.Stopped;
            energy.Keep();
            done += sequences.Count;
            tokens += sequences.Sum(s => s.OutputLength);
            if (leads && !stopped) Deliver(Report(repeat, firstBatch + batch, sequences, outcome));
            if (book != null && round > 0) TakeRound();
        }
        if (leads && book == null) reports.SendEnd(stopped);
        while (book != null && reports.AnyOpen) TakeRound();
        return model.World.Any(stopped || reports.AnyStopped);

        void Deliver(BatchReport report)
        {
            if (book != null) book.Take(report);
            else reports.Send(report);
        }

        void TakeRound()
        {
            foreach (var report in reports.ReceiveRound()) book.Take(report);
        }

        // The other replicas go as fast with their share of the prompts.
        Action<Step> Progress(List<Sequence> sequences)
        {
            var whole = batches.Sum(batch => batch.Length) / (double)batches.Where((_, batch) => batch % _replicas == _replica).Sum(batch => batch.Length);
            return _ =>
            {
                watchdog?.Alive();
                energy.KeepNowAndThen();
                var underWay = sequences.Sum(s => s.Finish != null ? 1 : (double)s.OutputLength / s.MaxNewTokens);
                progress.Report(new((done + underWay) * whole, (long)((tokens + sequences.Sum(s => s.OutputLength)) * whole)));
            };
        }
    }

    private static List<Sequence> Sequences(WorkItem[] batch) =>
        [.. batch.Select(item => new Sequence(item.Number, item.PromptIndex, item.Tokens, item.MaxNewTokens))];

    private BatchReport Report(int repeat, int batch, List<Sequence> sequences, BatchOutcome outcome) => new(
        repeat, _replica, batch, clock.OfTicks(outcome.StartTicks), clock.OfTicks(outcome.EndTicks),
        [.. sequences.Select(s => new SequenceReport(s.Id, s.Finish!.Value, s.Output, [.. s.TokenTicks.Select(clock.OfTicks)]))],
        [.. outcome.Steps.Select(s => new StepReport(s.Kind, s.MicroBatch, clock.OfTicks(s.StartTicks), clock.OfTicks(s.EndTicks), s.Shares))]);
}
