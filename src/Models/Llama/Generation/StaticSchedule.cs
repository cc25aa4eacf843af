using Harness.Sharding;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// A static batch, as the paper generates: its prompts go in first, then every live sequence advances by one token a pass, and
/// the batch ends when its last sequence has.
/// </summary>
/// <param name="sequences">As many as the cache has slots, at most; sequence i takes slot i.</param>
public sealed class StaticSchedule(IReadOnlyList<Sequence> sequences) : Schedule
{
    private int _parts, _prefillRows;
    private bool _taken;

    public override IEnumerable<Sequence> InFlight => sequences.Where(sequence => !sequence.IsFinished);
    internal override bool IsDone => FinishedCount == sequences.Count;

    /// <summary>A batch stands as a whole or not at all.</summary>
    public override IReadOnlyList<Sequence> TakeFinished()
    {
        if (!IsDone || _taken) return [];
        _taken = true;
        return sequences;
    }

    internal override int Begin(GenerationSettings settings, long startTicks)
    {
        for (var i = 0; i < sequences.Count; i++) sequences[i].TakeSlot(i, startTicks);
        _prefillRows = settings.PrefillRows;
        return _parts = Math.Min(settings.MicroBatches, sequences.Count);
    }

    internal override List<(Sequence Sequence, int Tokens)> Next(int microBatch, long ticks)
    {
        var live = Part(microBatch).ToList();
        var chosen = new List<(Sequence, int)>();
        AddPrompts(chosen, live.Where(sequence => sequence.InPrefill), _prefillRows);
        return chosen.Count > 0 ? chosen : [.. live.Select(sequence => (sequence, 1))];
    }

    internal override bool IsOver(int microBatch) => !Part(microBatch).Any();

    private IEnumerable<Sequence> Part(int microBatch)
    {
        var slice = Slice.Even(sequences.Count, _parts, microBatch);
        return sequences.Skip(slice.Start).Take(slice.Count).Where(sequence => !sequence.IsFinished);
    }
}
