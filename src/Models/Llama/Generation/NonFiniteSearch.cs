using System.Runtime.InteropServices;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// A sequence's logits are not finite, and no token can be chosen: its tokens pass through the model once more, from the first on, and
/// every rank looks at what each of its layers gives. From the first on, since what spoilt a later pass may have come into the cache in one
/// that yielded no logits.
/// </summary>
internal sealed class NonFiniteSearch(ITensorBackend ops, LlamaStage stage, ReplicaGroup group)
{
    private readonly record struct Answer(int Order, float Value);

    /// <summary>Every rank of the replica calls, with the sequence's copy of its own.</summary>
    /// <param name="rows">Tokens to a pass at most.</param>
    /// <returns>Equal on every rank; null where all values of the second pass were finite.</returns>
    public NonFinitePlace? Find(Sequence sequence, KvCache cache, int rows)
    {
        int[] tokens = [.. sequence.Tokens.Take(sequence.Cached)];
        for (var start = 0; start < tokens.Length; start += rows)
        {
            var count = Math.Min(rows, tokens.Length - start);
            var probe = new ActivationProbe(ops, group.TensorLink, group.Replica.Rank);
            using (ops.Scope())
            {
                var batch = new RaggedBatch { Slots = [sequence.Slot], Starts = [start], Counts = [count] };
                stage.Examine(new(tokens[start..(start + count)], batch, [count - 1]), cache, probe);
            }
            if (First(probe.Found) is { } place) return place;
        }
        return null;
    }

    private NonFinitePlace? First(NonFinitePlace? mine)
    {
        Answer[] answer = [mine == null ? new(int.MaxValue, 0) : new(mine.Order, mine.Value)];
        var all = new Answer[group.Replica.Size];
        group.Replica.AllGather(MemoryMarshal.AsBytes(answer.AsSpan()), MemoryMarshal.AsBytes(all.AsSpan()));
        var rank = Enumerable.Range(0, all.Length).MinBy(one => all[one].Order);
        return all[rank].Order == int.MaxValue ? null : NonFinitePlace.At(all[rank].Order, rank, all[rank].Value);
    }
}
