using System.Diagnostics;
using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// Continuous batching (Yu et al., Orca, OSDI 2022): the slot of a finished sequence is given to the next request at once, and
/// parts of its prompt share passes with decoding sequences. A pass takes every decoding sequence of its micro-batch, and fills up
/// with prompts to <see cref="GenerationSettings.PrefillRows"/> tokens.
/// </summary>
/// <param name="requests">In the order in which they get slots.</param>
/// <param name="slots">Requests in flight at most; the cache has as many. Micro-batches divide them evenly, and each keeps its own.</param>
/// <param name="arrivals">When each request arrives, in seconds after the start, ascending: open loop. Null: all wait from the start
/// (closed loop), and a request's clock begins when it gets a slot.</param>
/// <param name="turnsAfter">Of a request that has its answer, what follows in its slot: the next turn of the conversation, or all that have
/// no room any more; the same on every rank. Null: nothing follows.</param>
public sealed class ContinuousSchedule(IReadOnlyList<Sequence> requests, int slots, IReadOnlyList<double>? arrivals = null,
    Func<Sequence, IReadOnlyList<Sequence>>? turnsAfter = null) : Schedule
{
    /// <summary>Thirty years: at the slowest rate that can be asked for, ticks would overflow.</summary>
    private const double LongestSeconds = 1e9;

    private readonly Sequence?[] _slots = new Sequence?[slots];
    private readonly int[] _turns = new int[slots];      // of the request that has the slot: its place in line
    private readonly List<Sequence> _ended = [];
    private int _parts, _rows, _arrived, _given, _live;
    private long _startTicks;

    public override IEnumerable<Sequence> InFlight => _slots.OfType<Sequence>();
    internal override bool IsDone => _given == requests.Count && _live == 0;
    internal override bool HasArrivals => arrivals != null;
    internal override long NextArrivalTicks => ArrivalTicks(_arrived);

    public override IReadOnlyList<Sequence> TakeFinished()
    {
        Sequence[] ended = [.. _ended];
        _ended.Clear();
        return ended;
    }

    internal override int Begin(GenerationSettings settings, long startTicks)
    {
        (_startTicks, _rows, _arrived) = (startTicks, settings.PrefillRows, arrivals == null ? requests.Count : 0);
        return _parts = Math.Min(settings.MicroBatches, slots);
    }

    internal override List<(Sequence Sequence, int Tokens)> Next(int microBatch, long ticks)
    {
        var part = Slice.Even(slots, _parts, microBatch);
        Refill(part, ticks);
        var live = Enumerable.Range(part.Start, part.Count).Where(slot => _slots[slot] != null).ToLookup(slot => _slots[slot]!.InPrefill);
        List<(Sequence, int)> chosen = [.. live[false].Select(slot => (_slots[slot]!, 1))];
        AddPrompts(chosen, live[true].OrderBy(slot => _turns[slot]).Select(slot => _slots[slot]!), _rows - chosen.Count);
        return chosen;
    }

    internal override bool IsOver(int microBatch)
    {
        var part = Slice.Even(slots, _parts, microBatch);
        return _given == requests.Count && _slots.Skip(part.Start).Take(part.Count).All(sequence => sequence == null);
    }

    internal override void Finished(Sequence sequence)
    {
        base.Finished(sequence);
        _ended.Add(sequence);
        _slots[sequence.Slot] = null;
        foreach (var next in turnsAfter?.Invoke(sequence) ?? [])
        {
            next.Follow(sequence);
            if (next.MaxNewTokens > 0) _slots[sequence.Slot] = next;
            else
            {
                base.Finished(next);
                _ended.Add(next);
            }
        }
        if (_slots[sequence.Slot] == null) _live--;
    }

    internal override int ArrivedBy(long ticks)
    {
        var arrived = _arrived;
        while (arrived < requests.Count && ArrivalTicks(arrived) <= ticks) arrived++;
        return arrived;
    }

    internal override void Admit(int arrived) => _arrived = Math.Max(_arrived, arrived);

    /// <summary>
    /// Gives free slots away, but no more than this micro-batch's share of what there is: stages should not wait for each other.
    /// </summary>
    private void Refill(Slice part, long ticks)
    {
        var own = _slots.Skip(part.Start).Take(part.Count).Count(sequence => sequence != null);
        var share = (_live + _arrived - _given + _parts - 1) / _parts;
        for (var slot = part.Start; slot < part.Start + part.Count && own < share && _given < _arrived; slot++)
        {
            if (_slots[slot] != null) continue;
            _slots[slot] = requests[_given];
            _turns[slot] = _given;
            if (arrivals == null) requests[_given].TakeSlot(slot, ticks);
            else
            {
                // The sampling rank begins last, but over hours its clock may gain on this one: no request is served before it arrives.
                var arrival = Math.Min(ArrivalTicks(_given), ticks);
                requests[_given].TakeSlot(slot, arrival, ticks - arrival);
            }
            _given++;
            _live++;
            own++;
        }
    }

    private long ArrivalTicks(int request) =>
        _startTicks + (arrivals == null ? 0 : (long)(Math.Min(arrivals[request], LongestSeconds) * Stopwatch.Frequency));
}
