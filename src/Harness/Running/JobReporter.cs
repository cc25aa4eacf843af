using Harness.Models.Llama.Generation;
using Pass = Harness.Models.Llama.Generation.Step;
using Step = Harness.Energy.Accounting.Step;

namespace Harness.Running;

/// <summary>
/// Groups what a job finishes into reports, at most one a second: a static batch is finished as a whole, requests of continuous batching
/// one by one. What was done for sequences that never finish is reported, too: its joules are theirs and nobody else's.
/// </summary>
/// <param name="deliver">Takes a report.</param>
internal sealed class JobReporter(RankContext rank, ReplicaJob job, int repeat, int pass, Action<BatchReport> deliver)
{
    private const double LeastSeconds = 1;

    private readonly List<Pass> _steps = [];
    private double _reportedSeconds = rank.Clock.Seconds;

    public void Take(Pass step)
    {
        _steps.Add(step);
        if (rank.Clock.Seconds - _reportedSeconds >= LeastSeconds
            && job.Schedule.TakeFinished() is { Count: > 0 } finished) Report(finished);
    }

    /// <summary>Everything that is left.</summary>
    public void End()
    {
        if (_steps.Count > 0) Report(job.Schedule.TakeFinished());
    }

    private void Report(IReadOnlyList<Sequence> finished)
    {
        var end = rank.Clock.Seconds;
        rank.Energy.Keep();          // of this moment: what is reported counts if readings reach its end
        var number = job.NumberReport();
        var report = new BatchReport(repeat, pass, rank.Replica, number, end, [.. finished.Select(Describe)],
            [.. _steps.Select(step => Describe(step, number))]);
        _steps.Clear();
        deliver(report);
        _reportedSeconds = rank.Clock.Seconds;
    }

    private Step Describe(Pass step, int batch) => new()
    {
        Repeat = repeat,
        Replica = rank.Replica,
        Pass = pass > 0 ? pass : null,
        Batch = batch,
        MicroBatch = step.MicroBatch,
        Kind = step.Kind switch
        {
            StepKind.Prefill => Energy.Accounting.StepKind.Prefill,
            StepKind.Mixed => Energy.Accounting.StepKind.Mixed,
            _ => Energy.Accounting.StepKind.Decode,
        },
        StartSeconds = rank.Clock.OfTicks(step.StartTicks),
        EndSeconds = rank.Clock.OfTicks(step.EndTicks),
        Rows = [.. step.Shares.Select(share => (int?)share.SequenceId)],
        Tokens = step.Kind == StepKind.Decode ? null : [.. step.Shares.Select(share => share.Tokens)],
        DecodeRows = step.Kind == StepKind.Mixed ? step.Shares.Count(share => !share.IsPrefill) : null,
    };

    private SequenceReport Describe(Sequence s) => new(s.Id, s.ReachedEndOfText ?? false, rank.Clock.OfTicks(s.StartTicks),
        s.QueueTicks / (double?)System.Diagnostics.Stopwatch.Frequency, s.Output, [.. s.TokenTicks.Select(rank.Clock.OfTicks)],
        s.PromptLength, s.FromCache);
}
