using Harness.Models.Llama.Generation;

namespace Harness.Running.Work;

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
