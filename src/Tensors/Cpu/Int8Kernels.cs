using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>What a group of 32 quantised activations of one token needs besides its values.</summary>
/// <param name="factor">Their scale, times the unit of the sums; NaN where one of them is not finite.</param>
/// <param name="total">The sum of the values.</param>
internal readonly struct ActivationGroup(float factor, int total)
{
    public readonly float Factor = factor;
    public readonly int Total = total;
}

/// <summary>
/// Products of R vectors of rows with T tokens, y[t · tokenStride + r]. Sums over a group are exact integers; groups are added up in
/// float32 one after the other, a chain for each row and token. So a result is the same to the last bit whatever the tile, the batch, the
/// number of threads, and whatever instructions made the sums. x is packed [group][chunk][token], its groups [group][token].
/// </summary>
internal static unsafe class Int8Kernels<D, V, F> where D : struct, IByteDot<V, F> where V : struct where F : struct
{
    private const int Chunks = Int8Weight.GroupColumns / 4, ChunkStride = 4 * Int8Weight.BlockRows;

    /// <summary>Blocks that lie side by side in four vectors.</summary>
    public static int BlocksOfFour => 4 * D.Lanes / Int8Weight.BlockRows;

    /// <summary>From the first vector of a tile to another: the halves of a block where a vector is half a block.</summary>
    private static long ValuesAt(int vector, long blockBytes) => D.Lanes == Int8Weight.BlockRows ? vector * blockBytes
        : vector / 2 * blockBytes + vector % 2 * 4 * D.Lanes;

    /// <inheritdoc cref="ValuesAt"/>
    private static long ScalesAt(int vector, long blockBytes) => D.Lanes == Int8Weight.BlockRows ? vector * blockBytes
        : vector / 2 * blockBytes + vector % 2 * sizeof(ushort) * D.Lanes;

    /// <summary>
    /// Bytes that each stream of rows is asked for before they are used: the streams are too many, and each too short, for the processor to
    /// follow them by itself.
    /// </summary>
    private const int Ahead = 512;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4x1<P>(byte* w, long blockBytes, int groups, byte* x, ActivationGroup* g, float* y) where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w + ValuesAt(1, blockBytes), w2 = w + ValuesAt(2, blockBytes), w3 = w + ValuesAt(3, blockBytes);
        var s0 = w + (long)groups * Int8Weight.GroupBytes;
        byte* s1 = s0 + ScalesAt(1, blockBytes), s2 = s0 + ScalesAt(2, blockBytes), s3 = s0 + ScalesAt(3, blockBytes);
        // At the end of these rows the stream goes on at the start of those that are next.
        var (ahead, jump) = ((long)Ahead, BlocksOfFour * blockBytes - (long)groups * Int8Weight.GroupBytes);
        F f0 = default, f1 = default, f2 = default, f3 = default;
        for (; groups > 0; groups--, g++)
        {
            if (groups == Ahead / Int8Weight.GroupBytes) ahead += jump;
            V a0 = D.Start(g->Total), a1 = a0, a2 = a0, a3 = a0;
            for (var line = 0; line < Chunks / 2; line++)
            {
                Prefetch<P>(w0 + ahead);
                Prefetch<P>(w1 + ahead);
                Prefetch<P>(w2 + ahead);
                Prefetch<P>(w3 + ahead);
                D.Columns(x, out var x0, out var z0);
                a0 = Add(a0, w0, x0, z0);
                a1 = Add(a1, w1, x0, z0);
                a2 = Add(a2, w2, x0, z0);
                a3 = Add(a3, w3, x0, z0);
                D.Columns(x + D.ChunkBytes, out x0, out z0);
                a0 = Add(a0, w0 + ChunkStride, x0, z0);
                a1 = Add(a1, w1 + ChunkStride, x0, z0);
                a2 = Add(a2, w2 + ChunkStride, x0, z0);
                a3 = Add(a3, w3 + ChunkStride, x0, z0);
                x += 2 * D.ChunkBytes;
                w0 += 2 * ChunkStride;
                w1 += 2 * ChunkStride;
                w2 += 2 * ChunkStride;
                w3 += 2 * ChunkStride;
            }
            f0 = D.AddScaled(f0, a0, D.Scales((ushort*)s0), g->Factor);
            f1 = D.AddScaled(f1, a1, D.Scales((ushort*)s1), g->Factor);
            f2 = D.AddScaled(f2, a2, D.Scales((ushort*)s2), g->Factor);
            f3 = D.AddScaled(f3, a3, D.Scales((ushort*)s3), g->Factor);
            s0 += Int8Weight.GroupScaleBytes;
            s1 += Int8Weight.GroupScaleBytes;
            s2 += Int8Weight.GroupScaleBytes;
            s3 += Int8Weight.GroupScaleBytes;
        }
        D.Store(f0, y);
        D.Store(f1, y + D.Lanes);
        D.Store(f2, y + 2 * D.Lanes);
        D.Store(f3, y + 3 * D.Lanes);
    }

    /// <inheritdoc cref="Dot2x4"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4x2<P>(byte* w, long blockBytes, int groups, byte* x, ActivationGroup* g, float* y, long tokenStride)
        where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w + ValuesAt(1, blockBytes), w2 = w + ValuesAt(2, blockBytes), w3 = w + ValuesAt(3, blockBytes);
        var s0 = w + (long)groups * Int8Weight.GroupBytes;
        byte* s1 = s0 + ScalesAt(1, blockBytes), s2 = s0 + ScalesAt(2, blockBytes), s3 = s0 + ScalesAt(3, blockBytes);
        var sums = stackalloc float[8 * Int8Weight.BlockRows];
        float* y0 = sums, y1 = y0 + 4 * D.Lanes;
        for (var i = 0; i < 8; i++) D.Store(default, sums + i * D.Lanes);
        for (; groups > 0; groups--, g += 2)
        {
            V a00 = D.Start(g[0].Total), a10 = a00, a20 = a00, a30 = a00;
            V a01 = D.Start(g[1].Total), a11 = a01, a21 = a01, a31 = a01;
            for (var chunk = 0; chunk < Chunks; chunk++)
            {
                Prefetch<P>(w0 + Ahead);
                Prefetch<P>(w1 + Ahead);
                Prefetch<P>(w2 + Ahead);
                Prefetch<P>(w3 + Ahead);
                D.Columns(x, out var x0, out var z0);
                D.Columns(x + D.ChunkBytes, out var x1, out var z1);
                D.Weights(w0, out var u, out var v);
                a00 = D.Add(a00, u, v, x0, z0);
                a01 = D.Add(a01, u, v, x1, z1);
                D.Weights(w1, out u, out v);
                a10 = D.Add(a10, u, v, x0, z0);
                a11 = D.Add(a11, u, v, x1, z1);
                D.Weights(w2, out u, out v);
                a20 = D.Add(a20, u, v, x0, z0);
                a21 = D.Add(a21, u, v, x1, z1);
                D.Weights(w3, out u, out v);
                a30 = D.Add(a30, u, v, x0, z0);
                a31 = D.Add(a31, u, v, x1, z1);
                x += 2 * D.ChunkBytes;
                w0 += ChunkStride;
                w1 += ChunkStride;
                w2 += ChunkStride;
                w3 += ChunkStride;
            }
            AddScaled(y0, y1, a00, a01, s0, g);
            AddScaled(y0 + D.Lanes, y1 + D.Lanes, a10, a11, s1, g);
            AddScaled(y0 + 2 * D.Lanes, y1 + 2 * D.Lanes, a20, a21, s2, g);
            AddScaled(y0 + 3 * D.Lanes, y1 + 3 * D.Lanes, a30, a31, s3, g);
            s0 += Int8Weight.GroupScaleBytes;
            s1 += Int8Weight.GroupScaleBytes;
            s2 += Int8Weight.GroupScaleBytes;
            s3 += Int8Weight.GroupScaleBytes;
        }
        for (var i = 0; i < 4; i++)
        {
            D.Store(D.Load(y0 + i * D.Lanes), y + i * D.Lanes);
            D.Store(D.Load(y1 + i * D.Lanes), y + tokenStride + i * D.Lanes);
        }
    }

    /// <summary>One group of one vector of rows, for two tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddScaled(float* y0, float* y1, V sums0, V sums1, byte* scales, ActivationGroup* g)
    {
        var c = D.Scales((ushort*)scales);
        D.Store(D.AddScaled(D.Load(y0), sums0, c, g[0].Factor), y0);
        D.Store(D.AddScaled(D.Load(y1), sums1, c, g[1].Factor), y1);
    }

    /// <summary>
    /// Registers hold the sums of the group, so that results are added up in memory, side by side, and go to y at the end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot2x4<P>(byte* w, long blockBytes, int groups, byte* x, ActivationGroup* g, float* y, long tokenStride)
        where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w + ValuesAt(1, blockBytes);
        var s0 = w + (long)groups * Int8Weight.GroupBytes;
        var s1 = s0 + ScalesAt(1, blockBytes);
        var sums = stackalloc float[8 * Int8Weight.BlockRows];
        float* y0 = sums, y1 = y0 + 2 * D.Lanes, y2 = y1 + 2 * D.Lanes, y3 = y2 + 2 * D.Lanes;
        for (var i = 0; i < 8; i++) D.Store(default, sums + i * D.Lanes);
        for (; groups > 0; groups--, g += 4)
        {
            V a00 = D.Start(g[0].Total), a10 = a00, a01 = D.Start(g[1].Total), a11 = a01;
            V a02 = D.Start(g[2].Total), a12 = a02, a03 = D.Start(g[3].Total), a13 = a03;
            for (var chunk = 0; chunk < Chunks; chunk++)
            {
                Prefetch<P>(w0 + Ahead);
                Prefetch<P>(w1 + Ahead);
                D.Weights(w0, out var u0, out var v0);
                D.Weights(w1, out var u1, out var v1);
                D.Columns(x, out var x0, out var z0);
                a00 = D.Add(a00, u0, v0, x0, z0);
                a10 = D.Add(a10, u1, v1, x0, z0);
                D.Columns(x + D.ChunkBytes, out var x1, out var z1);
                a01 = D.Add(a01, u0, v0, x1, z1);
                a11 = D.Add(a11, u1, v1, x1, z1);
                D.Columns(x + 2 * D.ChunkBytes, out var x2, out var z2);
                a02 = D.Add(a02, u0, v0, x2, z2);
                a12 = D.Add(a12, u1, v1, x2, z2);
                D.Columns(x + 3 * D.ChunkBytes, out var x3, out var z3);
                a03 = D.Add(a03, u0, v0, x3, z3);
                a13 = D.Add(a13, u1, v1, x3, z3);
                x += 4 * D.ChunkBytes;
                w0 += ChunkStride;
                w1 += ChunkStride;
            }
            AddScaled(y0, y1, a00, a01, s0, g);
            AddScaled(y2, y3, a02, a03, s0, g + 2);
            AddScaled(y0 + D.Lanes, y1 + D.Lanes, a10, a11, s1, g);
            AddScaled(y2 + D.Lanes, y3 + D.Lanes, a12, a13, s1, g + 2);
            s0 += Int8Weight.GroupScaleBytes;
            s1 += Int8Weight.GroupScaleBytes;
        }
        for (var token = 0; token < 4; token++)
        {
            D.Store(D.Load(sums + 2 * token * D.Lanes), y + token * tokenStride);
            D.Store(D.Load(sums + (2 * token + 1) * D.Lanes), y + token * tokenStride + D.Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Add(V sums, byte* w, V firstColumns, V secondColumns)
    {
        D.Weights(w, out var first, out var second);
        return D.Add(sums, first, second, firstColumns, secondColumns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<P>(byte* w) where P : struct, IPrefetch
    {
        if (Sse.IsSupported && P.Distance > 0) Sse.Prefetch0(w);
    }

    /// <summary>One vector of rows with one token of several that are packed together.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dot1x1(byte* w, byte* scales, int groups, byte* x, ActivationGroup* g, int together, float* y)
    {
        F f = default;
        for (; groups > 0; groups--, g += together)
        {
            var a = D.Start(g->Total);
            for (var chunk = 0; chunk < Chunks; chunk++)
            {
                D.Columns(x, out var x0, out var z0);
                a = Add(a, w, x0, z0);
                x += together * D.ChunkBytes;
                w += ChunkStride;
            }
            f = D.AddScaled(f, a, D.Scales((ushort*)scales), g->Factor);
            scales += Int8Weight.GroupScaleBytes;
        }
        D.Store(f, y);
    }

    /// <summary>So many rows of one block, for what no tile fits.</summary>
    public static void Block(byte* w, int rows, int groups, byte* x, ActivationGroup* g, int together, float* y)
    {
        var sums = stackalloc float[Int8Weight.BlockRows];
        var blockBytes = Int8Weight.BlockBytes(groups);
        for (var vector = 0; vector < Int8Weight.BlockRows / D.Lanes; vector++)
            Dot1x1(w + ValuesAt(vector, blockBytes), w + (long)groups * Int8Weight.GroupBytes + ScalesAt(vector, blockBytes), groups, x, g,
                together, sums + vector * D.Lanes);
        new Span<float>(sums, rows).CopyTo(new Span<float>(y, rows));
    }
}
