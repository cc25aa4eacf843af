using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>
/// RoPE, cache append and causal grouped-query attention of a ragged batch. The keys of a sequence fall into fixed
/// pieces of <see cref="PieceTokens"/>; each piece has a softmax of its own, and the pieces are merged in order (the
/// online softmax of Milakov and Gimelshein 2018). A query's result is therefore the same to the last bit whether it
/// comes in a prefill or alone, and whether its pieces were computed by one worker or by several.
/// </summary>
internal static unsafe class Attention<S, V> where S : struct, ISimd<V> where V : struct
{
    private const int PieceTokens = 256;

    /// <summary>Query rows (tokens × heads of one group) that share the keys and values of a piece while they are in cache.</summary>
    private const int ItemRows = 32;

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
        public float* Qkv, Queries, Output, Keys, Rope;
        public long SlotFloats, HeadFloats, KeyFloats;
        public int* Slots, Starts, Counts, FirstRows;
        public int Sequences, Rows, Heads, KeyHeads, Dimension, Padded, Window, Threads;
        public float Scale;
        public Item* Items;
        public int ItemCount, NextItem;
        public float* Scratch, Partials;
        public long ScratchFloats;

        public readonly int Group => Heads / KeyHeads;

        /// <summary>A partial row: maximum, sum, weighted values.</summary>
        public readonly int PartialFloats => Padded + 16;

        public readonly int MaxRows => Math.Max(ItemRows, Group);
    }

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
            SlotFloats = cache.HeadFloats * heads.KeyValues,
            HeadFloats = cache.HeadFloats,
            KeyFloats = cache.KeyFloats,
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
        for (var row = first; row < last; row++)
        {
            while (row >= job->FirstRows[sequence] + job->Counts[sequence]) sequence++;
            var position = job->Starts[sequence] + row - job->FirstRows[sequence];
            var rope = job->Rope + (long)position * d;
            var x = job->Qkv + (long)row * (job->Heads + 2 * job->KeyHeads) * d;
            var queries = job->Queries + (long)row * job->Heads * d;
            for (var head = 0; head < job->Heads; head++, x += d, queries += d) Rotate(x, rope, d / 2, job->Scale, queries, 1);
            var cache = job->Keys + job->Slots[sequence] * job->SlotFloats;
            for (var head = 0; head < job->KeyHeads; head++, x += d, cache += job->HeadFloats)
            {
                Rotate(x, rope, d / 2, 1, cache + (long)(position / CpuKvCache.BlockTokens) * CpuKvCache.BlockTokens * d
                    + position % CpuKvCache.BlockTokens,
                    CpuKvCache.BlockTokens);
                new Span<float>(x + job->KeyHeads * d, d).CopyTo(new Span<float>(cache + job->KeyFloats + (long)position * job->Padded, d));
            }
        }
    }

    /// <summary>Turns pair (i, i + half) by the position's angle i; the result's features lie <paramref name="stride"/> apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Rotate(float* x, float* rope, int half, float scale, float* y, int stride)
    {
        for (var i = 0; i < half; i++)
        {
            float a = x[i], b = x[half + i], cos = rope[i], sin = rope[half + i];
            y[i * stride] = (a * cos - b * sin) * scale;
            y[(half + i) * stride] = (b * cos + a * sin) * scale;
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
        var keys = job->Keys + job->Slots[item->Sequence] * job->SlotFloats + item->Head * job->HeadFloats;
        var values = keys + job->KeyFloats;
        var queries = job->Queries + ((long)firstRow * job->Heads + item->Head * group) * d;
        var tokenFloats = (long)job->Heads * d;

        for (var r = 0; r < rows; r++) maxima[r] = float.NegativeInfinity;
        for (var piece = item->FirstPiece; piece < item->FirstPiece + item->Pieces; piece++)
        {
            var first = piece * PieceTokens;
            var seen = Math.Min(PieceTokens, start + item->Tokens - first);
            var width = (seen + 2 * S.Lanes - 1) / (2 * S.Lanes) * (2 * S.Lanes);
            Scores(queries, tokenFloats, group, d, rows, keys + (long)first * d, scores, width);
            for (var r = 0; r < rows; r++)
            {
                var position = start + r / group;
                (partialMax[r], partialSum[r]) = Softmax(scores + r * PieceTokens, width,
                    Math.Max(0, FirstVisible(job, position) - first), Math.Min(seen, position + 1 - first));
            }
            Weigh(scores, rows, seen, values + (long)first * padded, padded, partial);
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

    // ---------------------------------------------------------------- kernels

    /// <summary>scores[r][t] = query r · key t for t below <paramref name="width"/>, a multiple of two vectors.</summary>
    private static void Scores(float* queries, long tokenFloats, int group, int d, int rows, float* keys, float* scores, int width)
    {
        for (var t = 0; t < width; t += 2 * S.Lanes)
        {
            var first = keys + KeyOffset(t, d);
            var second = keys + KeyOffset(t + S.Lanes, d);
            var r = 0;
            for (; r + 4 <= rows; r += 4)
                Scores4x2(Query(r), Query(r + 1), Query(r + 2), Query(r + 3), d, first, second, scores + r * PieceTokens + t);
            for (; r < rows; r++) Scores1x2(Query(r), d, first, second, scores + r * PieceTokens + t);
        }

        float* Query(int r) => queries + r / group * tokenFloats + r % group * d;
    }

    /// <summary>Keys of tokens t, t + 1, … for feature 0; the next feature lies a block further.</summary>
    private static long KeyOffset(int t, int d) =>
        (long)(t / CpuKvCache.BlockTokens) * CpuKvCache.BlockTokens * d + t % CpuKvCache.BlockTokens;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores4x2(float* q0, float* q1, float* q2, float* q3, int d, float* first, float* second, float* scores)
    {
        V a0 = S.Zero, a1 = S.Zero, a2 = S.Zero, a3 = S.Zero;
        V b0 = S.Zero, b1 = S.Zero, b2 = S.Zero, b3 = S.Zero;
        for (var f = 0; f < d; f++, first += CpuKvCache.BlockTokens, second += CpuKvCache.BlockTokens)
        {
            V x = S.Load(first), y = S.Load(second);
            var q = S.Broadcast(q0[f]);
            a0 = S.MultiplyAdd(q, x, a0);
            b0 = S.MultiplyAdd(q, y, b0);
            q = S.Broadcast(q1[f]);
            a1 = S.MultiplyAdd(q, x, a1);
            b1 = S.MultiplyAdd(q, y, b1);
            q = S.Broadcast(q2[f]);
            a2 = S.MultiplyAdd(q, x, a2);
            b2 = S.MultiplyAdd(q, y, b2);
            q = S.Broadcast(q3[f]);
            a3 = S.MultiplyAdd(q, x, a3);
            b3 = S.MultiplyAdd(q, y, b3);
        }
        S.Store(a0, scores);
        S.Store(b0, scores + S.Lanes);
        S.Store(a1, scores + PieceTokens);
        S.Store(b1, scores + PieceTokens + S.Lanes);
        S.Store(a2, scores + 2 * PieceTokens);
        S.Store(b2, scores + 2 * PieceTokens + S.Lanes);
        S.Store(a3, scores + 3 * PieceTokens);
        S.Store(b3, scores + 3 * PieceTokens + S.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores1x2(float* query, int d, float* first, float* second, float* scores)
    {
        V a = S.Zero, b = S.Zero;
        for (var f = 0; f < d; f++, first += CpuKvCache.BlockTokens, second += CpuKvCache.BlockTokens)
        {
            var q = S.Broadcast(query[f]);
            a = S.MultiplyAdd(q, S.Load(first), a);
            b = S.MultiplyAdd(q, S.Load(second), b);
        }
        S.Store(a, scores);
        S.Store(b, scores + S.Lanes);
    }

    /// <summary>Scores of tokens [from, to) to exp(score - maximum), the others to 0; the maximum is -∞ where there are none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Max, float Sum) Softmax(float* scores, int width, int from, int to)
    {
        if (from >= to)
        {
            new Span<float>(scores, width).Clear();
            return (float.NegativeInfinity, 0);
        }
        for (var t = 0; t < from; t++) scores[t] = float.NegativeInfinity;
        for (var t = to; t < width; t++) scores[t] = float.NegativeInfinity;
        var largest = S.Load(scores);
        for (var t = S.Lanes; t < width; t += S.Lanes) largest = S.Max(largest, S.Load(scores + t));
        var max = VectorMath<S, V>.Largest(largest);
        var (shift, sum) = (S.Broadcast(max), S.Zero);
        for (var t = 0; t < width; t += S.Lanes)
        {
            var e = VectorMath<S, V>.Exp(S.Subtract(S.Load(scores + t), shift));
            S.Store(e, scores + t);
            sum = S.Add(sum, e);
        }
        return (max, S.Sum(sum));
    }

    /// <summary>result[r] = Σ over t below count of weights[r][t] · values[t].</summary>
    private static void Weigh(float* weights, int rows, int count, float* values, int padded, float* result)
    {
        for (var f = 0; f < padded; f += 2 * S.Lanes)
        {
            var two = f + S.Lanes < padded;
            var r = 0;
            for (; r + 4 <= rows; r += 4)
                if (two) Weigh4x2(weights + r * PieceTokens, count, values + f, padded, result + r * padded + f);
                else Weigh4x1(weights + r * PieceTokens, count, values + f, padded, result + r * padded + f);
            for (; r < rows; r++)
                if (two) Weigh1x2(weights + r * PieceTokens, count, values + f, padded, result + r * padded + f);
                else Weigh1x1(weights + r * PieceTokens, count, values + f, padded, result + r * padded + f);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh4x2(float* weights, int count, float* values, int padded, float* result)
    {
        V a0 = S.Zero, a1 = S.Zero, a2 = S.Zero, a3 = S.Zero;
        V b0 = S.Zero, b1 = S.Zero, b2 = S.Zero, b3 = S.Zero;
        for (var t = 0; t < count; t++, values += padded)
        {
            V x = S.Load(values), y = S.Load(values + S.Lanes);
            var w = S.Broadcast(weights[t]);
            a0 = S.MultiplyAdd(w, x, a0);
            b0 = S.MultiplyAdd(w, y, b0);
            w = S.Broadcast(weights[PieceTokens + t]);
            a1 = S.MultiplyAdd(w, x, a1);
            b1 = S.MultiplyAdd(w, y, b1);
            w = S.Broadcast(weights[2 * PieceTokens + t]);
            a2 = S.MultiplyAdd(w, x, a2);
            b2 = S.MultiplyAdd(w, y, b2);
            w = S.Broadcast(weights[3 * PieceTokens + t]);
            a3 = S.MultiplyAdd(w, x, a3);
            b3 = S.MultiplyAdd(w, y, b3);
        }
        S.Store(a0, result);
        S.Store(b0, result + S.Lanes);
        S.Store(a1, result + padded);
        S.Store(b1, result + padded + S.Lanes);
        S.Store(a2, result + 2 * padded);
        S.Store(b2, result + 2 * padded + S.Lanes);
        S.Store(a3, result + 3 * padded);
        S.Store(b3, result + 3 * padded + S.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh4x1(float* weights, int count, float* values, int padded, float* result)
    {
        V a0 = S.Zero, a1 = S.Zero, a2 = S.Zero, a3 = S.Zero;
        for (var t = 0; t < count; t++, values += padded)
        {
            var x = S.Load(values);
            a0 = S.MultiplyAdd(S.Broadcast(weights[t]), x, a0);
            a1 = S.MultiplyAdd(S.Broadcast(weights[PieceTokens + t]), x, a1);
            a2 = S.MultiplyAdd(S.Broadcast(weights[2 * PieceTokens + t]), x, a2);
            a3 = S.MultiplyAdd(S.Broadcast(weights[3 * PieceTokens + t]), x, a3);
        }
        S.Store(a0, result);
        S.Store(a1, result + padded);
        S.Store(a2, result + 2 * padded);
        S.Store(a3, result + 3 * padded);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh1x2(float* weights, int count, float* values, int padded, float* result)
    {
        V a = S.Zero, b = S.Zero;
        for (var t = 0; t < count; t++, values += padded)
        {
            var w = S.Broadcast(weights[t]);
            a = S.MultiplyAdd(w, S.Load(values), a);
            b = S.MultiplyAdd(w, S.Load(values + S.Lanes), b);
        }
        S.Store(a, result);
        S.Store(b, result + S.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh1x1(float* weights, int count, float* values, int padded, float* result)
    {
        var a = S.Zero;
        for (var t = 0; t < count; t++, values += padded) a = S.MultiplyAdd(S.Broadcast(weights[t]), S.Load(values), a);
        S.Store(a, result);
    }
}
