using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Generation;

namespace Harness.Running;

/// <summary>
/// Requests under continuous batching, or conversations: the i-th belongs to replica i mod dp. Those that arrive do so over all replicas
/// together, anew in each pass.
/// </summary>
internal sealed class ContinuousRequests : IReplicaWork
{
    private readonly RunOptions _options;
    private readonly Workload _workload;
    private readonly Conversations? _conversations;
    private readonly IReadOnlyList<WorkItem> _requests;
    private readonly HashSet<int> _own;
    private readonly int _replica, _nextNumber, _begunRepeat;
    private readonly HashSet<FinishedPrompt> _finished;
    private (int Repeat, int Count) _reports;

    /// <param name="conversations">Null where each has one turn.</param>
    public ContinuousRequests(RunOptions options, Workload workload, int replica, RunStart start, Conversations? conversations)
    {
        (_options, _workload, _replica, _conversations) = (options, workload, replica, conversations);
        (_nextNumber, _begunRepeat) = (start.NextBatch, start.FinishedRepeats + 1);
        _requests = [.. workload.Items.Where(item => item is { Fits: true, Turn: 1 })];
        _own = [.. _requests.Where((_, i) => i % Replicas == replica).Select(item => item.Number)];
        _finished = [.. start.Finished];
        Prompts = _own.Sum(number => workload.TurnsOf(number).Count());
    }

    private int Replicas => _options.Sharding.Data;

    public int Slots => Math.Clamp((_requests.Count + Replicas - 1) / Replicas, 1, _options.Batch.EffectiveConcurrency);
    public int Prompts { get; }

    public IEnumerable<ReplicaJob> Jobs(int repeat, int pass)
    {
        var left = _requests.Where(item =>
            _workload.TurnsOf(item.Number).Any(number => !_finished.Contains(new(repeat, pass, number)))).ToList();
        if (!left.Exists(IsOwn)) yield break;
        _conversations?.Begin(repeat, pass);
        var seconds = ArrivalsOf(left, repeat, pass);
        var own = (from request in left.Index()
                   where IsOwn(request.Item)
                   let sequence = _conversations == null ? ReplicaWork.Sequence(request.Item)
                       : _conversations.Start(request.Item, _finished)
                   where sequence != null
                   select (Sequence: sequence, request.Index)).ToList();
        yield return new(new ContinuousSchedule([.. own.Select(one => one.Sequence)], Slots,
            seconds == null ? null : [.. own.Select(one => seconds[one.Index])], _conversations == null ? null : _conversations.After),
            () => NumberReport(repeat));
    }

    /// <summary>
    /// In seconds after the start; null where all wait from the start. Of a file's times the first of what is left is the start.
    /// </summary>
    private double[]? ArrivalsOf(IReadOnlyList<WorkItem> left, int repeat, int pass)
    {
        if (left[0].ArrivalSeconds is { } first) return [.. left.Select(item => item.ArrivalSeconds!.Value - first)];
        var batch = _options.Batch;
        return batch.Rate == 0 ? null
            : RandomArrivals.Seconds(left.Count, batch.Rate, batch.Burstiness, _options.Generation.Seed, repeat, pass);
    }

    /// <summary>As many requests as there are slots, in a closed loop.</summary>
    public Schedule WarmUp(int number)
    {
        var own = _requests.Where(IsOwn).ToList();
        return new ContinuousSchedule(ReplicaWork.Sequences(Enumerable.Range(0, own.Count > 0 ? Slots : 0)
            .Select(i => own[(number * Slots + i) % own.Count])), Slots);
    }

    private bool IsOwn(WorkItem item) => _own.Contains(item.Number);

    private int NumberReport(int repeat)
    {
        var first = repeat == _begunRepeat ? (_nextNumber + Replicas - 1) / Replicas : 0;
        _reports = (repeat, _reports.Repeat == repeat ? _reports.Count + 1 : first);
        return _reports.Count * Replicas + _replica;
    }
}
