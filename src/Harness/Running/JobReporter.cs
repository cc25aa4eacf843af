using Harness.Models.Llama.Generation;

namespace Harness.Running;

/// <summary>
/// Groups what a job finishes into reports, at most one a second: a static batch is finished as a whole, requests of continuous batching
/// one by one. What was done for sequences that never finish is reported, too: its joules are theirs and nobody else's.
/// </summary>
/// <param name="deliver">Takes a report.</param>
internal sealed class JobReporter(RankContext rank, ReplicaJob job, int repeat, int pass, Action<BatchReport> deliver)
{
    private const double LeastSeconds = 1;

    private readonly List<Step> _steps = [];
    private double _reportedSeconds = rank.Clock.Seconds;

    public void Take(Step step)
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
        var report = new BatchReport(repeat, pass, rank.Replica, job.NumberReport(), end, [.. finished.Select(Describe)],
            [.. _steps.Select(s =>
                new StepReport(s.MicroBatch, rank.Clock.OfTicks(s.StartTicks), rank.Clock.OfTicks(s.EndTicks), s.Shares))]);
        _steps.Clear();
        deliver(report);
        _reportedSeconds = rank.Clock.Seconds;
    }

    private SequenceReport Describe(Sequence s) => new(s.Id, s.Finish!.Value, rank.Clock.OfTicks(s.StartTicks),
        s.QueueTicks / (double?)System.Diagnostics.Stopwatch.Frequency, s.Output, [.. s.TokenTicks.Select(rank.Clock.OfTicks)]);
}
