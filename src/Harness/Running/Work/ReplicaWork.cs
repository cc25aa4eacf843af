using Harness.Configuration;
using Harness.Models.Llama.Generation;

namespace Harness.Running;

/// <summary>What a replica generates, by the schedule that the options name; the same on every rank of the replica.</summary>
internal interface IReplicaWork
{
    /// <summary>Sequences in flight at most.</summary>
    int Slots { get; }

    /// <summary>This replica's prompts that fit, in one pass over all.</summary>
    int Prompts { get; }

    /// <summary>What is left of one pass of a repeat, one after another.</summary>
    IEnumerable<ReplicaJob> Jobs(int repeat, int pass);

    /// <summary>The n-th piece of work to be thrown away.</summary>
    Schedule WarmUp(int number);
}

/// <param name="NumberReport">Gives the next report of finished prompts its <c>batch_index</c>, unique in the repeat.</param>
internal sealed record ReplicaJob(Schedule Schedule, Func<int> NumberReport);

internal static class ReplicaWork
{
    /// <param name="start">What earlier starts of the run have done.</param>
    /// <param name="conversations">Null where each has one turn.</param>
    public static IReplicaWork Of(RunOptions options, Workload workload, int replica, RunStart start, Conversations? conversations) =>
        options.Batch.Schedule == ScheduleKind.Continuous
        ? new ContinuousRequests(options, workload, replica, start, conversations)
        : new StaticBatches(workload.Batches(options.Batch.Size), replica, options.Sharding.Data, start);

    public static List<Sequence> Sequences(IEnumerable<WorkItem> items) => [.. items.Select(Sequence)];

    public static Sequence Sequence(WorkItem item) => new(item.Number, item.PromptIndex, item.Tokens, item.MaxNewTokens);
}

/// <summary>Batches as the paper has them: batch b belongs to replica b mod dp; those of later passes are numbered on.</summary>
internal sealed class StaticBatches(IReadOnlyList<WorkItem[]> batches, int replica, int replicas, RunStart start) : IReplicaWork
{
    private readonly int[] _own = [.. Enumerable.Range(0, batches.Count).Where(batch => batch % replicas == replica)];
    private readonly HashSet<FinishedPrompt> _finished = [.. start.Finished];

    public int Slots => batches.Select(batch => batch.Length).DefaultIfEmpty(1).Max();
    public int Prompts => _own.Sum(batch => batches[batch].Length);

    public IEnumerable<ReplicaJob> Jobs(int repeat, int pass) =>
        from batch in _own
        where !_finished.Contains(new(repeat, pass, batches[batch][0].Number))
        select new ReplicaJob(Schedule(batch), () => pass * batches.Count + batch);

    public Schedule WarmUp(int number) => Schedule(_own.Length > 0 ? _own[number % _own.Length] : null);

    private StaticSchedule Schedule(int? batch) => new(ReplicaWork.Sequences(batch is { } b ? batches[b] : []));
}
