using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <summary>Sequences that pass through the pipeline together: makes their passes, and hands the tokens back.</summary>
internal sealed class MicroBatch(int number)
{
    public int Number => number;

    /// <summary>The pass under way and the sequences whose next token it yields, in row order; null before and after.</summary>
    public (Step Step, List<Sequence> Yields)? UnderWay { get; private set; }

    /// <param name="chosen">With the number of each one's next tokens that go in.</param>
    public ForwardPass Begin(IReadOnlyList<(Sequence Sequence, int Count)> chosen, long ticks)
    {
        var batch = new RaggedBatch
        {
            Slots = [.. chosen.Select(c => c.Sequence.Slot)],
            Starts = [.. chosen.Select(c => c.Sequence.Cached)],
            Counts = [.. chosen.Select(c => c.Count)],
        };
        StepShare[] shares = [.. chosen.Select(c => new StepShare(c.Sequence.Id, c.Count, c.Sequence.InPrefill))];
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
        UnderWay = (new Step(number, ticks, ticks, shares), yields);
        return new(tokens, batch, [.. outputs]);
    }

    /// <summary>Hands each yielding sequence its token.</summary>
    /// <returns>The step, and the sequences that it finished.</returns>
    public (Step Step, List<Sequence> Finished) Complete(ReadOnlySpan<int> tokens, long ticks, IReadOnlySet<int> endOfText)
    {
        var (step, yields) = UnderWay!.Value;
        for (var i = 0; i < yields.Count; i++) yields[i].Append(tokens[i], ticks, endOfText);
        UnderWay = null;
        return (step with { EndTicks = ticks }, yields.FindAll(sequence => sequence.IsFinished));
    }
}
