using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// Sequences that pass through the pipeline together. Prompts go in first, in passes of at most
/// <paramref name="prefillRows"/> tokens that may cut a long prompt; then every live sequence advances by one token a pass.
/// </summary>
internal sealed class MicroBatch(int number, IReadOnlyList<Sequence> sequences, int prefillRows)
{
    public int Number => number;

    /// <summary>The pass under way and the sequences whose next token it yields, in row order; null before and after.</summary>
    public (Step Step, List<Sequence> Yields)? UnderWay { get; private set; }

    /// <summary>The next pass, or null when every sequence has finished.</summary>
    public ForwardPass? Begin(long ticks)
    {
        var live = sequences.Where(sequence => sequence.Finish == null).ToList();
        if (live.Count == 0) return null;
        var prefill = live.Where(sequence => sequence.InPrefill).ToList();
        var chosen = prefill.Count > 0 ? Chunks(prefill) : [.. live.Select(sequence => (sequence, 1))];
        return Pass(chosen, prefill.Count > 0 ? StepKind.Prefill : StepKind.Decode, ticks);
    }

    /// <summary>Hands each yielding sequence its token.</summary>
    public Step Complete(ReadOnlySpan<int> tokens, long ticks, IReadOnlySet<int> endOfText)
    {
        var (step, yields) = UnderWay!.Value;
        for (var i = 0; i < yields.Count; i++) yields[i].Append(tokens[i], ticks, endOfText);
        UnderWay = null;
        return step with { EndTicks = ticks };
    }

    private List<(Sequence, int)> Chunks(List<Sequence> prefill)
    {
        var chosen = new List<(Sequence, int)>();
        var room = prefillRows;
        foreach (var sequence in prefill)
        {
            if (room == 0) break;
            var count = Math.Min(room, sequence.PromptLength - sequence.Cached);
            chosen.Add((sequence, count));
            room -= count;
        }
        return chosen;
    }

    private ForwardPass Pass(List<(Sequence Sequence, int Count)> chosen, StepKind kind, long ticks)
    {
        var batch = new RaggedBatch
        {
            Slots = [.. chosen.Select(c => c.Sequence.Slot)],
            Starts = [.. chosen.Select(c => c.Sequence.Cached)],
            Counts = [.. chosen.Select(c => c.Count)],
        };
        var tokens = new int[batch.Rows];
        var outputs = new List<int>();
        var yields = new List<Sequence>();
        var row = 0;
        foreach (var (sequence, count) in chosen)
        {
            for (var i = 0; i < count; i++) tokens[row++] = sequence.Tokens[sequence.Cached + i];
            sequence.Cached += count;
            if (sequence.InPrefill) continue;
            outputs.Add(row - 1);
            yields.Add(sequence);
        }
        var shares = chosen.Select(c => new StepShare(c.Sequence.Id, c.Count)).ToArray();
        UnderWay = (new Step(kind, number, ticks, ticks, shares), yields);
        return new(tokens, batch, [.. outputs]);
    }
}
