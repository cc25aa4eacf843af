using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>
/// RoPE, cache append and causal grouped-query attention of a ragged batch. The keys of a sequence fall into fixed
/// pieces of <see cref="PieceTokens"/>; each piece has a softmax of its own, and the pieces are merged in order (the
/// online softmax of Milakov and Gimelshein 2018). A query's result is therefore the same to the last bit whether it
/// comes in a prefill or alone, and whether its pieces were computed by one worker or by several. What a query is multiplied by is the
/// same too, since keys and values are rounded to <typeparamref name="E"/> as they are appended, the newest ones included.
/// </summary>
internal static unsafe class Attention<S, V, E> where S : struct, ISimd<V> where V : struct where E : struct, ICacheElement
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

    // ---------------------------------------------------------------- kernels

    /// <summary>
    /// scores[r][t] = query r · key t for all t of so many blocks. A score is one chain of multiply-adds in the order of the features,
    /// whichever kernel computes it. Few rows leave time to wait for memory: those kernels read from several pages at a time.
    /// </summary>
    private static void Scores(float* queries, long tokenFloats, int group, int d, int rows, byte* keys, float* scores, int blocks)
    {
        var blockBytes = (long)Block * d * E.Bytes;
        var row = 0;
        for (var b = 0; b < blocks; b++)
        {
            var block = keys + b * blockBytes;
            var target = scores + b * Block;
            // The first tile fetches what follows; the others find the block in cache.
            var ahead = AheadBytes;
            row = 0;
            for (int tile; (tile = Tile(rows - row)) > 0; row += tile, target += tile * PieceTokens, ahead = 0)
                if (tile == 6)
                    Scores6x1(Query(row), Query(row + 1), Query(row + 2), Query(row + 3), Query(row + 4), Query(row + 5), d, block, ahead,
                        target);
                else Scores4x1(Query(row), Query(row + 1), Query(row + 2), Query(row + 3), d, block, ahead, target);
        }
        for (; row + 2 <= rows; row += 2)
        {
            var half = blocks / 2;
            for (var b = 0; b < half; b++)
                Scores2x2(Query(row), Query(row + 1), d, keys + b * blockBytes, half * blockBytes, scores + row * PieceTokens + b * Block,
                    half * Block);
            for (var b = 2 * half; b < blocks; b++)
                for (var r = row; r < row + 2; r++)
                    Scores1x1(Query(r), d, keys + b * blockBytes, scores + r * PieceTokens + b * Block);
        }
        for (; row < rows; row++)
        {
            var quarter = blocks / 4;
            for (var b = 0; b < quarter; b++)
                Scores1x4(Query(row), d, keys + b * blockBytes, quarter * blockBytes, scores + row * PieceTokens + b * Block,
                    quarter * Block);
            for (var b = 4 * quarter; b < blocks; b++)
                Scores1x1(Query(row), d, keys + b * blockBytes, scores + row * PieceTokens + b * Block);
        }

        float* Query(int r) => queries + r / group * tokenFloats + r % group * d;
    }

    /// <summary>
    /// Rows that are computed together; 0 where too few are left. Six make twelve chains of multiply-adds, more than hide their latency;
    /// four make eight, just enough.
    /// </summary>
    private static int Tile(int rows) => rows is >= 6 and not 8 ? 6 : rows >= 4 ? 4 : 0;

    /// <summary>Into the first-level cache: the hardware alone does not look beyond a page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fetch(byte* address)
    {
        if (Sse.IsSupported) Sse.Prefetch0(address);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores6x1(float* q0, float* q1, float* q2, float* q3, float* q4, float* q5, int d, byte* keys, int ahead,
        float* scores)
    {
        V a0 = S.Zero, a1 = S.Zero, a2 = S.Zero, a3 = S.Zero, a4 = S.Zero, a5 = S.Zero;
        V b0 = S.Zero, b1 = S.Zero, b2 = S.Zero, b3 = S.Zero, b4 = S.Zero, b5 = S.Zero;
        for (var f = 0; f < d; f++, keys += Block * E.Bytes)
        {
            Fetch(keys + ahead);
            E.Both<S, V>(keys, out var x, out var y);
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
            q = S.Broadcast(q4[f]);
            a4 = S.MultiplyAdd(q, x, a4);
            b4 = S.MultiplyAdd(q, y, b4);
            q = S.Broadcast(q5[f]);
            a5 = S.MultiplyAdd(q, x, a5);
            b5 = S.MultiplyAdd(q, y, b5);
        }
        Store2(scores, a0, b0);
        Store2(scores + PieceTokens, a1, b1);
        Store2(scores + 2 * PieceTokens, a2, b2);
        Store2(scores + 3 * PieceTokens, a3, b3);
        Store2(scores + 4 * PieceTokens, a4, b4);
        Store2(scores + 5 * PieceTokens, a5, b5);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores4x1(float* q0, float* q1, float* q2, float* q3, int d, byte* keys, int ahead,
        float* scores)
    {
        V a0 = S.Zero, a1 = S.Zero, a2 = S.Zero, a3 = S.Zero;
        V b0 = S.Zero, b1 = S.Zero, b2 = S.Zero, b3 = S.Zero;
        for (var f = 0; f < d; f++, keys += Block * E.Bytes)
        {
            Fetch(keys + ahead);
            E.Both<S, V>(keys, out var x, out var y);
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
        Store2(scores, a0, b0);
        Store2(scores + PieceTokens, a1, b1);
        Store2(scores + 2 * PieceTokens, a2, b2);
        Store2(scores + 3 * PieceTokens, a3, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores2x2(float* q0, float* q1, int d, byte* keys, long next, float* scores, int nextScores)
    {
        V a0 = S.Zero, a1 = S.Zero, b0 = S.Zero, b1 = S.Zero;
        V c0 = S.Zero, c1 = S.Zero, d0 = S.Zero, d1 = S.Zero;
        for (var f = 0; f < d; f++, keys += Block * E.Bytes)
        {
            V p = S.Broadcast(q0[f]), q = S.Broadcast(q1[f]);
            E.Both<S, V>(keys, out var x, out var y);
            a0 = S.MultiplyAdd(p, x, a0);
            b0 = S.MultiplyAdd(p, y, b0);
            a1 = S.MultiplyAdd(q, x, a1);
            b1 = S.MultiplyAdd(q, y, b1);
            E.Both<S, V>(keys + next, out x, out y);
            c0 = S.MultiplyAdd(p, x, c0);
            d0 = S.MultiplyAdd(p, y, d0);
            c1 = S.MultiplyAdd(q, x, c1);
            d1 = S.MultiplyAdd(q, y, d1);
        }
        Store2(scores, a0, b0);
        Store2(scores + PieceTokens, a1, b1);
        Store2(scores + nextScores, c0, d0);
        Store2(scores + PieceTokens + nextScores, c1, d1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores1x4(float* query, int d, byte* keys, long next, float* scores, int nextScores)
    {
        V a0 = S.Zero, a1 = S.Zero, a2 = S.Zero, a3 = S.Zero;
        V b0 = S.Zero, b1 = S.Zero, b2 = S.Zero, b3 = S.Zero;
        byte* second = keys + next, third = second + next, fourth = third + next;
        for (var f = 0; f < d; f++)
        {
            var q = S.Broadcast(query[f]);
            E.Both<S, V>(keys, out var x, out var y);
            a0 = S.MultiplyAdd(q, x, a0);
            b0 = S.MultiplyAdd(q, y, b0);
            E.Both<S, V>(second, out x, out y);
            a1 = S.MultiplyAdd(q, x, a1);
            b1 = S.MultiplyAdd(q, y, b1);
            E.Both<S, V>(third, out x, out y);
            a2 = S.MultiplyAdd(q, x, a2);
            b2 = S.MultiplyAdd(q, y, b2);
            E.Both<S, V>(fourth, out x, out y);
            a3 = S.MultiplyAdd(q, x, a3);
            b3 = S.MultiplyAdd(q, y, b3);
            keys += Block * E.Bytes;
            second += Block * E.Bytes;
            third += Block * E.Bytes;
            fourth += Block * E.Bytes;
        }
        Store2(scores, a0, b0);
        Store2(scores + nextScores, a1, b1);
        Store2(scores + 2 * nextScores, a2, b2);
        Store2(scores + 3 * nextScores, a3, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scores1x1(float* query, int d, byte* keys, float* scores)
    {
        V a = S.Zero, b = S.Zero;
        for (var f = 0; f < d; f++, keys += Block * E.Bytes)
        {
            var q = S.Broadcast(query[f]);
            E.Both<S, V>(keys, out var x, out var y);
            a = S.MultiplyAdd(q, x, a);
            b = S.MultiplyAdd(q, y, b);
        }
        Store2(scores, a, b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store2(float* destination, V first, V second)
    {
        S.Store(first, destination);
        S.Store(second, destination + S.Lanes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load2(float* source, out V first, out V second)
    {
        first = S.Load(source);
        second = S.Load(source + S.Lanes);
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

    /// <summary>
    /// result[r] = Σ over t below count of weights[r][t] · values[t], one chain of multiply-adds in the order of the tokens, whichever
    /// kernels compute it.
    /// </summary>
    private static void Weigh(float* weights, int rows, int count, byte* values, int padded, float* result)
    {
        new Span<float>(result, rows * padded).Clear();
        for (var t = 0; t < count; t += ValueTokens, weights += ValueTokens, values += (long)ValueTokens * padded * E.Bytes)
        {
            var tokens = Math.Min(ValueTokens, count - t);
            var (r, ahead) = (0, (long)ValueTokens * padded * E.Bytes);
            for (int tile; (tile = Tile(rows - r)) > 0; r += tile, ahead = 0)
                for (var f = 0; f < padded; f += Block)
                    if (tile == 6)
                        Weigh6x1(weights + r * PieceTokens, tokens, values + f * E.Bytes, padded, ahead, result + r * padded + f);
                    else Weigh4x1(weights + r * PieceTokens, tokens, values + f * E.Bytes, padded, ahead, result + r * padded + f);
            for (; r + 2 <= rows; r += 2)
            {
                var f = 0;
                for (; f + 2 * Block <= padded; f += 2 * Block)
                    Weigh2x2(weights + r * PieceTokens, tokens, values + f * E.Bytes, padded, result + r * padded + f);
                for (; f < padded; f += Block)
                    for (var one = r; one < r + 2; one++)
                        Weigh1x1(weights + one * PieceTokens, tokens, values + f * E.Bytes, padded, result + one * padded + f);
            }
            for (; r < rows; r++)
            {
                var f = 0;
                for (; f + 4 * Block <= padded; f += 4 * Block)
                    Weigh1x4(weights + r * PieceTokens, tokens, values + f * E.Bytes, padded, result + r * padded + f);
                for (; f < padded; f += Block)
                    Weigh1x1(weights + r * PieceTokens, tokens, values + f * E.Bytes, padded, result + r * padded + f);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh6x1(float* weights, int count, byte* values, int padded, long ahead, float* result)
    {
        Load2(result, out var a0, out var b0);
        Load2(result + padded, out var a1, out var b1);
        Load2(result + 2 * padded, out var a2, out var b2);
        Load2(result + 3 * padded, out var a3, out var b3);
        Load2(result + 4 * padded, out var a4, out var b4);
        Load2(result + 5 * padded, out var a5, out var b5);
        for (var t = 0; t < count; t++, values += padded * E.Bytes)
        {
            Fetch(values + ahead);
            E.Both<S, V>(values, out var x, out var y);
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
            w = S.Broadcast(weights[4 * PieceTokens + t]);
            a4 = S.MultiplyAdd(w, x, a4);
            b4 = S.MultiplyAdd(w, y, b4);
            w = S.Broadcast(weights[5 * PieceTokens + t]);
            a5 = S.MultiplyAdd(w, x, a5);
            b5 = S.MultiplyAdd(w, y, b5);
        }
        Store2(result, a0, b0);
        Store2(result + padded, a1, b1);
        Store2(result + 2 * padded, a2, b2);
        Store2(result + 3 * padded, a3, b3);
        Store2(result + 4 * padded, a4, b4);
        Store2(result + 5 * padded, a5, b5);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh4x1(float* weights, int count, byte* values, int padded, long ahead, float* result)
    {
        Load2(result, out var a0, out var b0);
        Load2(result + padded, out var a1, out var b1);
        Load2(result + 2 * padded, out var a2, out var b2);
        Load2(result + 3 * padded, out var a3, out var b3);
        for (var t = 0; t < count; t++, values += padded * E.Bytes)
        {
            Fetch(values + ahead);
            E.Both<S, V>(values, out var x, out var y);
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
        Store2(result, a0, b0);
        Store2(result + padded, a1, b1);
        Store2(result + 2 * padded, a2, b2);
        Store2(result + 3 * padded, a3, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh2x2(float* weights, int count, byte* values, int padded, float* result)
    {
        Load2(result, out var a0, out var b0);
        Load2(result + Block, out var c0, out var d0);
        Load2(result + padded, out var a1, out var b1);
        Load2(result + padded + Block, out var c1, out var d1);
        var ahead = values + (long)ValueTokens * padded * E.Bytes;
        for (var t = 0; t < count; t++, values += padded * E.Bytes, ahead += padded * E.Bytes)
        {
            Fetch(ahead);
            V p = S.Broadcast(weights[t]), q = S.Broadcast(weights[PieceTokens + t]);
            E.Both<S, V>(values, out var x, out var y);
            a0 = S.MultiplyAdd(p, x, a0);
            b0 = S.MultiplyAdd(p, y, b0);
            a1 = S.MultiplyAdd(q, x, a1);
            b1 = S.MultiplyAdd(q, y, b1);
            E.Both<S, V>(values + Block * E.Bytes, out x, out y);
            c0 = S.MultiplyAdd(p, x, c0);
            d0 = S.MultiplyAdd(p, y, d0);
            c1 = S.MultiplyAdd(q, x, c1);
            d1 = S.MultiplyAdd(q, y, d1);
        }
        Store2(result, a0, b0);
        Store2(result + Block, c0, d0);
        Store2(result + padded, a1, b1);
        Store2(result + padded + Block, c1, d1);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh1x4(float* weights, int count, byte* values, int padded, float* result)
    {
        Load2(result, out var a0, out var b0);
        Load2(result + Block, out var a1, out var b1);
        Load2(result + 2 * Block, out var a2, out var b2);
        Load2(result + 3 * Block, out var a3, out var b3);
        var ahead = values + (long)ValueTokens * padded * E.Bytes;
        for (var t = 0; t < count; t++, values += padded * E.Bytes, ahead += padded * E.Bytes)
        {
            for (var line = 0; line < 4 * Block * E.Bytes; line += 64) Fetch(ahead + line);
            var w = S.Broadcast(weights[t]);
            E.Both<S, V>(values, out var x, out var y);
            a0 = S.MultiplyAdd(w, x, a0);
            b0 = S.MultiplyAdd(w, y, b0);
            E.Both<S, V>(values + Block * E.Bytes, out x, out y);
            a1 = S.MultiplyAdd(w, x, a1);
            b1 = S.MultiplyAdd(w, y, b1);
            E.Both<S, V>(values + 2 * Block * E.Bytes, out x, out y);
            a2 = S.MultiplyAdd(w, x, a2);
            b2 = S.MultiplyAdd(w, y, b2);
            E.Both<S, V>(values + 3 * Block * E.Bytes, out x, out y);
            a3 = S.MultiplyAdd(w, x, a3);
            b3 = S.MultiplyAdd(w, y, b3);
        }
        Store2(result, a0, b0);
        Store2(result + Block, a1, b1);
        Store2(result + 2 * Block, a2, b2);
        Store2(result + 3 * Block, a3, b3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Weigh1x1(float* weights, int count, byte* values, int padded, float* result)
    {
        Load2(result, out var a, out var b);
        for (var t = 0; t < count; t++, values += padded * E.Bytes)
        {
            var w = S.Broadcast(weights[t]);
            E.Both<S, V>(values, out var x, out var y);
            a = S.MultiplyAdd(w, x, a);
            b = S.MultiplyAdd(w, y, b);
        }
        Store2(result, a, b);
    }
}
