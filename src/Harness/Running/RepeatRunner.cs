using Harness.Common;
using Harness.Models.Llama.Generation;
using Harness.Reporting;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Running;

/// <summary>Runs this replica's work, and hands what is finished to rank 0.</summary>
internal sealed class RepeatRunner(
    RankContext rank, LoadedModel loaded, Workload workload, IReplicaWork work, KvCache cache, IRunRecorder recorder)
{
    private readonly int _prompts = workload.Items.Count(item => item.Fits);
    private readonly FiniteLogits _logits = new(rank, workload);
    private readonly Generator _generator = new(loaded.Backend, loaded.Stage, loaded.Replica, Settings(rank.Options, workload));

    /// <summary>Generates this many batches and keeps nothing of them.</summary>
    /// <returns>Whether it went to its end on every rank; false where one was told to stop.</returns>
    public bool WarmUp(int count) => _logits.Run(stage =>
    {
        for (var i = 0; i < count; i++)
            if (_generator.Run(work.WarmUp(i), cache, _ => stage.Alive(), () => stage.IsToStop, stage.Alive, rank.Energy.Take).Stopped)
                return false;
        return true;
    });

    /// <summary>
    /// One measured repeat: passes over the prompts until <paramref name="leastSeconds"/> are over, at least one. Rank 0 takes
    /// what all replicas finish.
    /// </summary>
    /// <returns>Whether it went to its end on every replica; equal on every rank.</returns>
    public bool Run(int repeat, double leastSeconds, IStageProgress progress)
    {
        var begin = rank.Clock.Seconds;
        var isWhole = true;
        for (var pass = 0; pass == 0 || (isWhole && _prompts > 0 && rank.World.Decide(rank.Clock.Seconds - begin < leastSeconds)); pass++)
            isWhole = Pass(repeat, pass, progress);
        return isWhole;
    }

    private bool Pass(int repeat, int pass, IStageProgress progress)
    {
        var reports = ReportStream.Of(rank.World, rank.Model.Groups.Grid, leads: rank.Model.Groups.Replica.Rank == 0, recorder);
        var (done, tokens) = (0, 0L);
        return _logits.Run(Work, () =>
        {
            // What other replicas finish is stored as it comes, with rank 0's readings up to then, whatever rank 0 does itself.
            reports.TakeArrived(rank.Energy.Keep);
            rank.Energy.KeepNowAndThen();
        }, reports.TakeRest);

        bool Work(JointStage stage)
        {
            var stopped = false;
            try
            {
                foreach (var job in work.Jobs(repeat, pass))
                {
                    stopped = Generate(job, stage);
                    done += job.Schedule.FinishedCount;
                    tokens += job.Schedule.FinishedTokens;
                    if (stopped) break;
                }
            }
            catch (NonFiniteLogitsException)
            {
                reports.End();
                throw;
            }
            reports.End();
            return !stopped;
        }

        // What has finished is reported also where the rest cannot be generated.
        bool Generate(ReplicaJob job, JointStage stage)
        {
            var reporter = new JobReporter(rank, job, repeat, pass, reports.Deliver);
            bool stopped;
            try
            {
                stopped = _generator.Run(job.Schedule, cache, step =>
                {
                    stage.Alive();
                    reporter.Take(step);
                    Show(job.Schedule);
                }, () => stage.IsToStop, stage.Alive, rank.Energy.Take).Stopped;
            }
            catch (NonFiniteLogitsException)
            {
                reporter.End();
                throw;
            }
            reporter.End();
            return stopped;
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
            progress.Report(new((done + schedule.FinishedCount + underWay) * whole,
                (tokens + schedule.FinishedTokens + underWayTokens) * whole));
        }
    }

    private static GenerationSettings Settings(Configuration.RunOptions options, Workload workload)
    {
        var generation = options.Generation;
        return new(new(generation.Temperature, generation.TopK, generation.TopP, generation.RepetitionPenalty),
            generation.Seed, workload.EndOfText, options.Sharding.EffectiveMicroBatches);
    }
}
