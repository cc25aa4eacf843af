using Harness.Models.Llama.Generation;

namespace Harness.Running.Work;

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
