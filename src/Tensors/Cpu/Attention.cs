using System.Runtime.CompilerServices;
using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>
/// RoPE, cache append and causal grouped-query attention of a ragged batch. The keys of a sequence fall into fixed
/// pieces of <see cref="PieceTokens"/>; each piece has a softmax of its own, and the pieces are merged in order (the
/// online softmax of Milakov and Gimelshein 2018). A query's result is therefore the same to the last bit whether it
/// comes in a prefill or alone, and whether its pieces were computed by one worker or by several. What a query is multiplied by is the
/// same too, since keys and values are rounded to <typeparamref name="E"/> as they are appended, the newest ones included.
/// </summary>
internal static unsafe partial class Attention<S, V, E> where S : struct, ISimd<V> where V : struct where E : struct, ICacheElement
{
    private const int PieceTokens = 256;

    /// <summary>How far ahead keys are asked for: beyond the page that is being read.</summary>
    private const int AheadBytes = 6 << 10;

    /// <summary>Tokens whose values stay in the first-level cache while all rows are weighed with them.</summary>
    private const int ValueTokens = 32;

    /// <summary>Query rows (tokens × heads of one group) that share the keys and values of a piece while they are in cache.</summary>
    private const int ItemRows = 24;

    /// <summary>Elements that the caller rotates and appends alone.</summary>
    private const long Alone = 32 << 10;

    /// <summary>Products of queries with keys and of weights with values that the caller adds up alone: some microseconds.</summary>
    private const long WorkAlone = 64 << 10;

    /// <summary>Queries of some tokens of one sequence with one key/value head, over some pieces.</summary>
    private struct Item
    {
        public int Sequence, Head, FirstToken, Tokens, FirstPiece, Pieces;

        /// <summary>Where the rows of this item lie among the partial results; -1 where the item is the whole.</summary>
        public int Partial;
    }

    private struct Job
    {
        public float* Qkv, Queries, Output, Rope;
        public byte* Keys;
        public long SlotBytes, HeadBytes, KeyBytes;
        public int* Slots, Starts, Counts, FirstRows;
        public int Sequences, Rows, Heads, KeyHeads, Dimension, Padded, Window, Threads;
        public float Scale;
        public Item* Items;
        public int ItemCount, NextItem;
        public float* Scratch, Partials;
        public long ScratchFloats;

        /// <summary>A key or value that the cache's type cannot hold; 0 where there is none.</summary>
        public float TooLarge;

        public readonly int Group => Heads / KeyHeads;

        /// <summary>A partial row: maximum, sum, weighted values.</summary>
        public readonly int PartialFloats => Padded + 16;

        public readonly int MaxRows => Math.Max(ItemRows, Group);
    }

    /// <summary>Tokens of a block of keys, features of a strip of values.</summary>
    private static int Block => 2 * S.Lanes;

    /// <exception cref="UserErrorException">A key or value is too large for the cache's type.</exception>
    public static void Attend(WorkerTeam team, Arena arena, float* qkv, float* output, CpuKvCache cache, int layer, RaggedBatch batch,
        AttentionHeads heads)
    {
        var mark = arena.Current;
        var job = new Job
        {
            Qkv = qkv,
            Output = output,
            Queries = (float*)arena.Take((long)batch.Rows * heads.Queries * heads.Dimension * sizeof(float)),
            Keys = cache.Keys(layer, 0, 0),
            SlotBytes = cache.HeadBytes * heads.KeyValues,
            HeadBytes = cache.HeadBytes,
            KeyBytes = cache.KeyBytes,
            Rope = cache.Rope.Row(0),
            Slots = Copy(arena, batch.Slots),
            Starts = Copy(arena, batch.Starts),
            Counts = Copy(arena, batch.Counts),
            FirstRows = Copy(arena, batch.Counts),
            Sequences = batch.Sequences,
            Rows = batch.Rows,
            Heads = heads.Queries,
            KeyHeads = heads.KeyValues,
            Dimension = heads.Dimension,
            Padded = cache.PaddedDimension,
            Window = heads.Window,
            Threads = team.Threads,
            Scale = (float)(1 / Math.Sqrt(heads.Dimension)),
        };
        for (int s = 0, row = 0; s < job.Sequences; row += job.Counts[s++]) job.FirstRows[s] = row;

        if ((long)batch.Rows * (heads.Queries + 2 * heads.KeyValues) * heads.Dimension <= Alone) AppendRows(&job, 0, job.Rows);
        else team.Run(&AppendShare, &job);
        if (job.TooLarge != 0)
            throw new UserErrorException(FormattableString.Invariant($"a key or value of {job.TooLarge} is too large for a KV cache in ")
                + $"{cache.DType.Label()}; use --kv-dtype {(cache.DType == DType.F16 ? "bf16 or f32" : "f32")}");

        PlanItems(&job, arena);
        job.ScratchFloats = (long)job.MaxRows * (PieceTokens + 2 * job.Padded + 4);
        job.Scratch = (float*)arena.Take(job.ScratchFloats * job.Threads * sizeof(float));
        if (Products(&job) <= WorkAlone) WorkOff(&job, 0);
        else team.Run(&WorkOff, &job);
        if (job.Partials != null) MergePartials(&job);
        arena.Release(mark);
    }

    private static long Products(Job* job)
    {
        var keys = 0L;
        for (var s = 0; s < job->Sequences; s++) keys += (long)job->Counts[s] * (job->Starts[s] + job->Counts[s]);
        return 2 * keys * job->Heads * job->Dimension;
    }

    private static int* Copy(Arena arena, int[] values)
    {
        var copy = (int*)arena.Take(values.Length * sizeof(int));
        values.AsSpan().CopyTo(new Span<int>(copy, values.Length));
        return copy;
    }

    // ---------------------------------------------------------------- rotate and append

    private static void AppendShare(void* context, int worker)
    {
        var job = (Job*)context;
        var (first, last) = WorkerTeam.Share(job->Rows, 1, worker, job->Threads);
        AppendRows(job, first, last);
    }

    private static void AppendRows(Job* job, int first, int last)
    {
        var (d, sequence) = (job->Dimension, 0);
        var rotated = stackalloc float[d];
        for (var row = first; row < last; row++)
        {
            while (row >= job->FirstRows[sequence] + job->Counts[sequence]) sequence++;
            var position = job->Starts[sequence] + row - job->FirstRows[sequence];
            var rope = job->Rope + (long)position * d;
            var x = job->Qkv + (long)row * (job->Heads + 2 * job->KeyHeads) * d;
            var queries = job->Queries + (long)row * job->Heads * d;
            for (var head = 0; head < job->Heads; head++, x += d, queries += d) Rotate(x, rope, d / 2, job->Scale, queries);
            var cache = job->Keys + job->Slots[sequence] * job->SlotBytes;
            for (var head = 0; head < job->KeyHeads; head++, x += d, cache += job->HeadBytes)
            {
                Rotate(x, rope, d / 2, 1, rotated);
                Write(job, rotated, cache + ((long)(position / Block) * Block * d + Place(position % Block)) * E.Bytes, Block);
                var value = cache + job->KeyBytes + (long)position * job->Padded * E.Bytes;
                for (var f = 0; f < d; f += Block) WriteStrip(job, x + job->KeyHeads * d + f, value + f * E.Bytes, Math.Min(Block, d - f));
            }
        }
    }

    /// <summary>Where the i-th element of a block lies, so that loads give the first half of a block and then the second.</summary>
    private static int Place(int i) => !E.Interleaved ? i : i < S.Lanes ? 2 * i : 2 * (i - S.Lanes) + 1;

    /// <summary>A key: its features lie <paramref name="stride"/> elements apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Write(Job* job, float* key, byte* destination, int stride)
    {
        for (var f = 0; f < job->Dimension; f++, destination += stride * E.Bytes)
        {
            if (MathF.Abs(key[f]) >= E.Limit) NoteTooLarge(job, key[f]);
            E.Write(key[f], destination);
        }
    }

    /// <summary>Some features of a value, a block of them at most.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteStrip(Job* job, float* value, byte* destination, int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (MathF.Abs(value[i]) >= E.Limit) NoteTooLarge(job, value[i]);
            E.Write(value[i], destination + Place(i) * E.Bytes);
        }
    }

    /// <summary>What was infinite before is another matter: the logits will say so.</summary>
    private static void NoteTooLarge(Job* job, float value)
    {
        if (float.IsFinite(value)) job->TooLarge = value;
    }

    /// <summary>Turns pair (i, i + half) by the position's angle i.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rotate(float* x, float* rope, int half, float scale, float* y)
    {
        for (var i = 0; i < half; i++)
        {
            float a = x[i], b = x[half + i], cos = rope[i], sin = rope[half + i];
            y[i] = (a * cos - b * sin) * scale;
            y[half + i] = (b * cos + a * sin) * scale;
        }
    }

    // ---------------------------------------------------------------- work items

    private static void PlanItems(Job* job, Arena arena)
    {
        var tokens = Math.Max(1, ItemRows / job->Group);
        var (whole, pieces) = (0L, 0L);
        for (var s = 0; s < job->Sequences; s++)
        {
            var blocks = (job->Counts[s] + tokens - 1) / tokens;
            whole += blocks;
            pieces += blocks == 1 ? Pieces(job, s, 0, job->Counts[s]).Count : blocks;
        }
        // Too few items for the team: sequences of few tokens are cut into their pieces.
        var split = whole * job->KeyHeads < 2L * job->Threads && pieces > whole;
        job->Items = (Item*)arena.Take((split ? pieces : whole) * job->KeyHeads * sizeof(Item));
        var partialRows = 0;
        for (var s = 0; s < job->Sequences; s++)
        {
            if (job->Counts[s] == 0) continue;
            // Late tokens see the most keys: the long items come first.
            for (var first = (job->Counts[s] - 1) / tokens * tokens; first >= 0; first -= tokens)
            {
                var count = Math.Min(tokens, job->Counts[s] - first);
                var (firstPiece, pieceCount) = Pieces(job, s, first, count);
                for (var head = 0; head < job->KeyHeads; head++)
                {
                    var item = new Item
                    {
                        Sequence = s,
                        Head = head,
                        FirstToken = first,
                        Tokens = count,
                        FirstPiece = firstPiece,
                        Pieces = pieceCount,
                        Partial = -1
                    };
                    if (!split || job->Counts[s] > tokens || pieceCount == 1)
                    {
                        job->Items[job->ItemCount++] = item;
                        continue;
                    }
                    for (var p = 0; p < pieceCount; p++, partialRows += count * job->Group)
                        job->Items[job->ItemCount++] = item with { FirstPiece = firstPiece + p, Pieces = 1, Partial = partialRows };
                }
            }
        }
        if (partialRows > 0) job->Partials = (float*)arena.Take((long)partialRows * job->PartialFloats * sizeof(float));
    }

    /// <summary>The pieces that tokens [first, first + count) of a sequence see.</summary>
    private static (int First, int Count) Pieces(Job* job, int sequence, int first, int count)
    {
        var position = job->Starts[sequence] + first;
        var from = FirstVisible(job, position) / PieceTokens;
        return (from, (position + count - 1) / PieceTokens + 1 - from);
    }

    private static int FirstVisible(Job* job, int position) => job->Window > 0 ? Math.Max(0, position - job->Window + 1) : 0;

    private static void WorkOff(void* context, int worker)
    {
        var job = (Job*)context;
        while (true)
        {
            var next = Interlocked.Increment(ref job->NextItem) - 1;
            if (next >= job->ItemCount) return;
            Compute(job, job->Items + next, job->Scratch + worker * job->ScratchFloats);
        }
    }

    /// <summary>
    /// Scratch: scores [rows][piece], the piece's result [rows][padded], the merged result [rows][padded], then maxima and sums.
    /// </summary>
    private static void Compute(Job* job, Item* item, float* scratch)
    {
        var (d, padded, group) = (job->Dimension, job->Padded, job->Group);
        var rows = item->Tokens * group;
        var scores = scratch;
        var partial = scores + job->MaxRows * PieceTokens;
        var result = partial + job->MaxRows * padded;
        var maxima = result + job->MaxRows * padded;
        var sums = maxima + job->MaxRows;
        var partialMax = sums + job->MaxRows;
        var partialSum = partialMax + job->MaxRows;
        var start = job->Starts[item->Sequence] + item->FirstToken;
        var firstRow = job->FirstRows[item->Sequence] + item->FirstToken;
        var keys = job->Keys + job->Slots[item->Sequence] * job->SlotBytes + item->Head * job->HeadBytes;
        var values = keys + job->KeyBytes;
        var queries = job->Queries + ((long)firstRow * job->Heads + item->Head * group) * d;
        var tokenFloats = (long)job->Heads * d;

        for (var r = 0; r < rows; r++) maxima[r] = float.NegativeInfinity;
        for (var piece = item->FirstPiece; piece < item->FirstPiece + item->Pieces; piece++)
        {
            var first = piece * PieceTokens;
            var seen = Math.Min(PieceTokens, start + item->Tokens - first);
            var blocks = (seen + Block - 1) / Block;
            Scores(queries, tokenFloats, group, d, rows, keys + (long)first * d * E.Bytes, scores, blocks);
            for (var r = 0; r < rows; r++)
            {
                var position = start + r / group;
                (partialMax[r], partialSum[r]) = Softmax(scores + r * PieceTokens, blocks * Block,
                    Math.Max(0, FirstVisible(job, position) - first), Math.Min(seen, position + 1 - first));
            }
            Weigh(scores, rows, seen, values + (long)first * padded * E.Bytes, padded, partial);
            if (item->Partial >= 0)
            {
                for (var r = 0; r < rows; r++) WritePartial(job, item->Partial + r, partialMax[r], partialSum[r], partial + r * padded);
                return;
            }
            for (var r = 0; r < rows; r++)
                Merge(ref maxima[r], ref sums[r], result + r * padded, partialMax[r], partialSum[r], partial + r * padded, padded);
        }
        for (var r = 0; r < rows; r++)
            Finish(result + r * padded, sums[r], d,
                job->Output + ((long)(firstRow + r / group) * job->Heads + item->Head * group + r % group) * d);
    }

    // ---------------------------------------------------------------- merging pieces

    private static void WritePartial(Job* job, int row, float max, float sum, float* values)
    {
        var partial = job->Partials + (long)row * job->PartialFloats;
        (partial[0], partial[1]) = (max, sum);
        new Span<float>(values, job->Padded).CopyTo(new Span<float>(partial + 16, job->Padded));
    }

    private static void MergePartials(Job* job)
    {
        var (group, padded) = (job->Group, job->Padded);
        for (var i = 0; i < job->ItemCount; i++)
        {
            var item = job->Items + i;
            // The first piece of each; the others follow it.
            if (item->Partial < 0
                || (i > 0 && item[-1].Partial >= 0 && item[-1].Sequence == item->Sequence && item[-1].Head == item->Head)) continue;
            var rows = item->Tokens * group;
            var pieces = 1;
            while (i + pieces < job->ItemCount && item[pieces].Sequence == item->Sequence && item[pieces].Head == item->Head) pieces++;
            for (var r = 0; r < rows; r++)
            {
                var (max, sum) = (float.NegativeInfinity, 0f);
                var result = job->Scratch;
                for (var p = 0; p < pieces; p++)
                {
                    var partial = job->Partials + (long)(item[p].Partial + r) * job->PartialFloats;
                    Merge(ref max, ref sum, result, partial[0], partial[1], partial + 16, padded);
                }
                var row = job->FirstRows[item->Sequence] + item->FirstToken + r / group;
                Finish(result, sum, job->Dimension,
                    job->Output + ((long)row * job->Heads + item->Head * group + r % group) * job->Dimension);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Merge(ref float max, ref float sum, float* result, float otherMax, float otherSum, float* other, int padded)
    {
        if (float.IsNegativeInfinity(otherMax)) return;
        if (float.IsNegativeInfinity(max))
        {
            (max, sum) = (otherMax, otherSum);
            new Span<float>(other, padded).CopyTo(new Span<float>(result, padded));
            return;
        }
        var larger = Math.Max(max, otherMax);
        float a = MathF.Exp(max - larger), b = MathF.Exp(otherMax - larger);
        max = larger;
        sum = sum * a + otherSum * b;
        V va = S.Broadcast(a), vb = S.Broadcast(b);
        for (var i = 0; i < padded; i += S.Lanes)
            S.Store(S.Add(S.Multiply(S.Load(result + i), va), S.Multiply(S.Load(other + i), vb)), result + i);
    }

    private static void Finish(float* result, float sum, int d, float* output)
    {
        var factor = 1 / sum;
        for (var f = 0; f < d; f++) output[f] = result[f] * factor;
    }
}
