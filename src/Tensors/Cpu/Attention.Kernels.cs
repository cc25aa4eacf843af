using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <remarks>
/// Its inner loops. Accumulators are named variables, so that the compiler keeps them in registers, and each number of rows is unrolled by
/// hand: twelve chains of multiply-adds for six rows, eight for fewer, which is what hides their latency.
/// </remarks>
internal static unsafe partial class Attention<S, V, E> where S : struct, ISimd<V> where V : struct where E : struct, ICacheElement
{
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
