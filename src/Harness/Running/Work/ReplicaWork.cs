using Harness.Configuration;
using Harness.Models.Llama.Generation;

namespace Harness.Running.Work;

internal static class ReplicaWork
{
    /// <param name="start">What earlier starts of the run have done.</param>
    public static IReplicaWork Of(RunOptions options, Workload workload, int replica, RunStart start) => options.Batch.Schedule == ScheduleKind.Continuous
        ? new ContinuousRequests(options, workload, replica, start)
        : new StaticBatches(workload.Batches(options.Batch.Size), replica, options.Sharding.Data, start);

    public static List<Sequence> Sequences(IEnumerable<WorkItem> items) =>
        [.. items.Select(item => new Sequence(item.Number, item.PromptIndex, item.Tokens, item.MaxNewTokens))];
}
