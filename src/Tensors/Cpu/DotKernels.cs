using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Dot products of R rows of a weight with B tokens: Dot{R}x{B} computes y[b · tokenStride + r] = Σ w[r, k] x[b, k].
/// A step is 2 · Lanes columns. The last step may overlap the one before it (<c>lastStep</c>, in bytes from the start
/// of the row), with zeros in x for the columns already done, so that any width is served without masks. x is packed
/// [step][half][token][lane] in the order in which <see cref="IWeightElement"/> gives the columns.
/// Every result is one chain of multiply-adds in column order and one fixed reduction: it is the same to the last bit
/// whatever the tile, and so whatever the batch and the number of threads.
/// A tile's accumulators, R · B vectors, have to stay in registers, hence named locals: these are for 32 of them, AVX-512 and ARM;
/// <see cref="DotKernels16{S, V}"/> for 16. Rows are dense, so the rows of the next tile follow in memory: fetching them in address
/// order into the second-level cache while this tile is computed keeps memory busy, which the hardware alone does not for R streams.
/// From <c>next</c> on it is done, <c>nextStep</c> bytes in a step.
/// </summary>
internal static unsafe class DotKernels<S, V> where S : struct, ISimd<V> where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot8x1<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride, w4 = w3 + stride, w5 = w4 + stride, w6 = w5 + stride,
            w7 = w6 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero, a30 = S.Zero, a40 = S.Zero, a50 = S.Zero, a60 = S.Zero, a70 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 8);
            V x0 = S.Load(x);
            V z0 = S.Load(x + S.Lanes);
            Load<E>(w0 + k, out var u0, out var v0);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a00 = S.MultiplyAdd(z0, v0, a00);
            Load<E>(w1 + k, out var u1, out var v1);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a10 = S.MultiplyAdd(z0, v1, a10);
            Load<E>(w2 + k, out var u2, out var v2);
            a20 = S.MultiplyAdd(x0, u2, a20);
            a20 = S.MultiplyAdd(z0, v2, a20);
            Load<E>(w3 + k, out var u3, out var v3);
            a30 = S.MultiplyAdd(x0, u3, a30);
            a30 = S.MultiplyAdd(z0, v3, a30);
            Load<E>(w4 + k, out var u4, out var v4);
            a40 = S.MultiplyAdd(x0, u4, a40);
            a40 = S.MultiplyAdd(z0, v4, a40);
            Load<E>(w5 + k, out var u5, out var v5);
            a50 = S.MultiplyAdd(x0, u5, a50);
            a50 = S.MultiplyAdd(z0, v5, a50);
            Load<E>(w6 + k, out var u6, out var v6);
            a60 = S.MultiplyAdd(x0, u6, a60);
            a60 = S.MultiplyAdd(z0, v6, a60);
            Load<E>(w7 + k, out var u7, out var v7);
            a70 = S.MultiplyAdd(x0, u7, a70);
            a70 = S.MultiplyAdd(z0, v7, a70);
            x += 2 * S.Lanes;
            k += step;
            next += nextStep;
        }
        S.Sum4(a00, a10, a20, a30).Store(y);
        S.Sum4(a40, a50, a60, a70).Store(y + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot8x2<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride, w4 = w3 + stride, w5 = w4 + stride, w6 = w5 + stride,
            w7 = w6 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero, a30 = S.Zero, a40 = S.Zero, a50 = S.Zero, a60 = S.Zero, a70 = S.Zero;
        V a01 = S.Zero, a11 = S.Zero, a21 = S.Zero, a31 = S.Zero, a41 = S.Zero, a51 = S.Zero, a61 = S.Zero, a71 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 8);
            V x0 = S.Load(x), x1 = S.Load(x + S.Lanes);
            V z0 = S.Load(x + 2 * S.Lanes), z1 = S.Load(x + 3 * S.Lanes);
            Load<E>(w0 + k, out var u0, out var v0);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a01 = S.MultiplyAdd(x1, u0, a01);
            a00 = S.MultiplyAdd(z0, v0, a00);
            a01 = S.MultiplyAdd(z1, v0, a01);
            Load<E>(w1 + k, out var u1, out var v1);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a11 = S.MultiplyAdd(x1, u1, a11);
            a10 = S.MultiplyAdd(z0, v1, a10);
            a11 = S.MultiplyAdd(z1, v1, a11);
            Load<E>(w2 + k, out var u2, out var v2);
            a20 = S.MultiplyAdd(x0, u2, a20);
            a21 = S.MultiplyAdd(x1, u2, a21);
            a20 = S.MultiplyAdd(z0, v2, a20);
            a21 = S.MultiplyAdd(z1, v2, a21);
            Load<E>(w3 + k, out var u3, out var v3);
            a30 = S.MultiplyAdd(x0, u3, a30);
            a31 = S.MultiplyAdd(x1, u3, a31);
            a30 = S.MultiplyAdd(z0, v3, a30);
            a31 = S.MultiplyAdd(z1, v3, a31);
            Load<E>(w4 + k, out var u4, out var v4);
            a40 = S.MultiplyAdd(x0, u4, a40);
            a41 = S.MultiplyAdd(x1, u4, a41);
            a40 = S.MultiplyAdd(z0, v4, a40);
            a41 = S.MultiplyAdd(z1, v4, a41);
            Load<E>(w5 + k, out var u5, out var v5);
            a50 = S.MultiplyAdd(x0, u5, a50);
            a51 = S.MultiplyAdd(x1, u5, a51);
            a50 = S.MultiplyAdd(z0, v5, a50);
            a51 = S.MultiplyAdd(z1, v5, a51);
            Load<E>(w6 + k, out var u6, out var v6);
            a60 = S.MultiplyAdd(x0, u6, a60);
            a61 = S.MultiplyAdd(x1, u6, a61);
            a60 = S.MultiplyAdd(z0, v6, a60);
            a61 = S.MultiplyAdd(z1, v6, a61);
            Load<E>(w7 + k, out var u7, out var v7);
            a70 = S.MultiplyAdd(x0, u7, a70);
            a71 = S.MultiplyAdd(x1, u7, a71);
            a70 = S.MultiplyAdd(z0, v7, a70);
            a71 = S.MultiplyAdd(z1, v7, a71);
            x += 4 * S.Lanes;
            k += step;
            next += nextStep;
        }
        S.Sum4(a00, a10, a20, a30).Store(y);
        S.Sum4(a40, a50, a60, a70).Store(y + 4);
        S.Sum4(a01, a11, a21, a31).Store(y + tokenStride);
        S.Sum4(a41, a51, a61, a71).Store(y + tokenStride + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot8x3<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride, w4 = w3 + stride, w5 = w4 + stride, w6 = w5 + stride,
            w7 = w6 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero, a30 = S.Zero, a40 = S.Zero, a50 = S.Zero, a60 = S.Zero, a70 = S.Zero;
        V a01 = S.Zero, a11 = S.Zero, a21 = S.Zero, a31 = S.Zero, a41 = S.Zero, a51 = S.Zero, a61 = S.Zero, a71 = S.Zero;
        V a02 = S.Zero, a12 = S.Zero, a22 = S.Zero, a32 = S.Zero, a42 = S.Zero, a52 = S.Zero, a62 = S.Zero, a72 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 8);
            V x0 = S.Load(x), x1 = S.Load(x + S.Lanes), x2 = S.Load(x + 2 * S.Lanes);
            V z0 = S.Load(x + 3 * S.Lanes), z1 = S.Load(x + 4 * S.Lanes), z2 = S.Load(x + 5 * S.Lanes);
            Load<E>(w0 + k, out var u0, out var v0);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a01 = S.MultiplyAdd(x1, u0, a01);
            a02 = S.MultiplyAdd(x2, u0, a02);
            a00 = S.MultiplyAdd(z0, v0, a00);
            a01 = S.MultiplyAdd(z1, v0, a01);
            a02 = S.MultiplyAdd(z2, v0, a02);
            Load<E>(w1 + k, out var u1, out var v1);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a11 = S.MultiplyAdd(x1, u1, a11);
            a12 = S.MultiplyAdd(x2, u1, a12);
            a10 = S.MultiplyAdd(z0, v1, a10);
            a11 = S.MultiplyAdd(z1, v1, a11);
            a12 = S.MultiplyAdd(z2, v1, a12);
            Load<E>(w2 + k, out var u2, out var v2);
            a20 = S.MultiplyAdd(x0, u2, a20);
            a21 = S.MultiplyAdd(x1, u2, a21);
            a22 = S.MultiplyAdd(x2, u2, a22);
            a20 = S.MultiplyAdd(z0, v2, a20);
            a21 = S.MultiplyAdd(z1, v2, a21);
            a22 = S.MultiplyAdd(z2, v2, a22);
            Load<E>(w3 + k, out var u3, out var v3);
            a30 = S.MultiplyAdd(x0, u3, a30);
            a31 = S.MultiplyAdd(x1, u3, a31);
            a32 = S.MultiplyAdd(x2, u3, a32);
            a30 = S.MultiplyAdd(z0, v3, a30);
            a31 = S.MultiplyAdd(z1, v3, a31);
            a32 = S.MultiplyAdd(z2, v3, a32);
            Load<E>(w4 + k, out var u4, out var v4);
            a40 = S.MultiplyAdd(x0, u4, a40);
            a41 = S.MultiplyAdd(x1, u4, a41);
            a42 = S.MultiplyAdd(x2, u4, a42);
            a40 = S.MultiplyAdd(z0, v4, a40);
            a41 = S.MultiplyAdd(z1, v4, a41);
            a42 = S.MultiplyAdd(z2, v4, a42);
            Load<E>(w5 + k, out var u5, out var v5);
            a50 = S.MultiplyAdd(x0, u5, a50);
            a51 = S.MultiplyAdd(x1, u5, a51);
            a52 = S.MultiplyAdd(x2, u5, a52);
            a50 = S.MultiplyAdd(z0, v5, a50);
            a51 = S.MultiplyAdd(z1, v5, a51);
            a52 = S.MultiplyAdd(z2, v5, a52);
            Load<E>(w6 + k, out var u6, out var v6);
            a60 = S.MultiplyAdd(x0, u6, a60);
            a61 = S.MultiplyAdd(x1, u6, a61);
            a62 = S.MultiplyAdd(x2, u6, a62);
            a60 = S.MultiplyAdd(z0, v6, a60);
            a61 = S.MultiplyAdd(z1, v6, a61);
            a62 = S.MultiplyAdd(z2, v6, a62);
            Load<E>(w7 + k, out var u7, out var v7);
            a70 = S.MultiplyAdd(x0, u7, a70);
            a71 = S.MultiplyAdd(x1, u7, a71);
            a72 = S.MultiplyAdd(x2, u7, a72);
            a70 = S.MultiplyAdd(z0, v7, a70);
            a71 = S.MultiplyAdd(z1, v7, a71);
            a72 = S.MultiplyAdd(z2, v7, a72);
            x += 6 * S.Lanes;
            k += step;
            next += nextStep;
        }
        S.Sum4(a00, a10, a20, a30).Store(y);
        S.Sum4(a40, a50, a60, a70).Store(y + 4);
        S.Sum4(a01, a11, a21, a31).Store(y + tokenStride);
        S.Sum4(a41, a51, a61, a71).Store(y + tokenStride + 4);
        S.Sum4(a02, a12, a22, a32).Store(y + 2 * tokenStride);
        S.Sum4(a42, a52, a62, a72).Store(y + 2 * tokenStride + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot6x4<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride, w4 = w3 + stride, w5 = w4 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero, a30 = S.Zero, a40 = S.Zero, a50 = S.Zero;
        V a01 = S.Zero, a11 = S.Zero, a21 = S.Zero, a31 = S.Zero, a41 = S.Zero, a51 = S.Zero;
        V a02 = S.Zero, a12 = S.Zero, a22 = S.Zero, a32 = S.Zero, a42 = S.Zero, a52 = S.Zero;
        V a03 = S.Zero, a13 = S.Zero, a23 = S.Zero, a33 = S.Zero, a43 = S.Zero, a53 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 6);
            V x0 = S.Load(x), x1 = S.Load(x + S.Lanes), x2 = S.Load(x + 2 * S.Lanes), x3 = S.Load(x + 3 * S.Lanes);
            V z0 = S.Load(x + 4 * S.Lanes), z1 = S.Load(x + 5 * S.Lanes), z2 = S.Load(x + 6 * S.Lanes), z3 = S.Load(x + 7 * S.Lanes);
            Load<E>(w0 + k, out var u0, out var v0);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a01 = S.MultiplyAdd(x1, u0, a01);
            a02 = S.MultiplyAdd(x2, u0, a02);
            a03 = S.MultiplyAdd(x3, u0, a03);
            a00 = S.MultiplyAdd(z0, v0, a00);
            a01 = S.MultiplyAdd(z1, v0, a01);
            a02 = S.MultiplyAdd(z2, v0, a02);
            a03 = S.MultiplyAdd(z3, v0, a03);
            Load<E>(w1 + k, out var u1, out var v1);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a11 = S.MultiplyAdd(x1, u1, a11);
            a12 = S.MultiplyAdd(x2, u1, a12);
            a13 = S.MultiplyAdd(x3, u1, a13);
            a10 = S.MultiplyAdd(z0, v1, a10);
            a11 = S.MultiplyAdd(z1, v1, a11);
            a12 = S.MultiplyAdd(z2, v1, a12);
            a13 = S.MultiplyAdd(z3, v1, a13);
            Load<E>(w2 + k, out var u2, out var v2);
            a20 = S.MultiplyAdd(x0, u2, a20);
            a21 = S.MultiplyAdd(x1, u2, a21);
            a22 = S.MultiplyAdd(x2, u2, a22);
            a23 = S.MultiplyAdd(x3, u2, a23);
            a20 = S.MultiplyAdd(z0, v2, a20);
            a21 = S.MultiplyAdd(z1, v2, a21);
            a22 = S.MultiplyAdd(z2, v2, a22);
            a23 = S.MultiplyAdd(z3, v2, a23);
            Load<E>(w3 + k, out var u3, out var v3);
            a30 = S.MultiplyAdd(x0, u3, a30);
            a31 = S.MultiplyAdd(x1, u3, a31);
            a32 = S.MultiplyAdd(x2, u3, a32);
            a33 = S.MultiplyAdd(x3, u3, a33);
            a30 = S.MultiplyAdd(z0, v3, a30);
            a31 = S.MultiplyAdd(z1, v3, a31);
            a32 = S.MultiplyAdd(z2, v3, a32);
            a33 = S.MultiplyAdd(z3, v3, a33);
            Load<E>(w4 + k, out var u4, out var v4);
            a40 = S.MultiplyAdd(x0, u4, a40);
            a41 = S.MultiplyAdd(x1, u4, a41);
            a42 = S.MultiplyAdd(x2, u4, a42);
            a43 = S.MultiplyAdd(x3, u4, a43);
            a40 = S.MultiplyAdd(z0, v4, a40);
            a41 = S.MultiplyAdd(z1, v4, a41);
            a42 = S.MultiplyAdd(z2, v4, a42);
            a43 = S.MultiplyAdd(z3, v4, a43);
            Load<E>(w5 + k, out var u5, out var v5);
            a50 = S.MultiplyAdd(x0, u5, a50);
            a51 = S.MultiplyAdd(x1, u5, a51);
            a52 = S.MultiplyAdd(x2, u5, a52);
            a53 = S.MultiplyAdd(x3, u5, a53);
            a50 = S.MultiplyAdd(z0, v5, a50);
            a51 = S.MultiplyAdd(z1, v5, a51);
            a52 = S.MultiplyAdd(z2, v5, a52);
            a53 = S.MultiplyAdd(z3, v5, a53);
            x += 8 * S.Lanes;
            k += step;
            next += nextStep;
        }
        S.Sum4(a00, a10, a20, a30).Store(y);
        S.Sum4(a01, a11, a21, a31).Store(y + tokenStride);
        S.Sum4(a02, a12, a22, a32).Store(y + 2 * tokenStride);
        S.Sum4(a03, a13, a23, a33).Store(y + 3 * tokenStride);
        Store2x2(S.Sum4(a40, a50, a41, a51), y + 4, y + tokenStride + 4);
        Store2x2(S.Sum4(a42, a52, a43, a53), y + 2 * tokenStride + 4, y + 3 * tokenStride + 4);
    }

    /// <summary>One row and one token of a group of <paramref name="group"/> tokens.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot1x1<E>(byte* w, float* x, int group, int steps, long lastStep) where E : struct, IWeightElement
    {
        var a = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Load<E>(w + k, out var u, out var v);
            a = S.MultiplyAdd(S.Load(x), u, a);
            a = S.MultiplyAdd(S.Load(x + group * S.Lanes), v, a);
            x += 2 * group * S.Lanes;
            k += step;
        }
        return S.Sum(a);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<E>(byte* source, out V first, out V second) where E : struct, IWeightElement
    {
        first = E.First<S, V>(source);
        second = E.Second<S, V>(source);
    }

    /// <summary>Asks for as many bytes of the next tile as one step of this one uses.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<E, P>(byte* next, int rows) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        if (!Sse.IsSupported || P.Distance == 0) return;
        var bytes = 2 * S.Lanes * E.Bytes * rows;
        Sse.Prefetch1(next);
        if (bytes > P.Distance) Sse.Prefetch1(next + P.Distance);
        if (bytes > 2 * P.Distance) Sse.Prefetch1(next + 2 * P.Distance);
        if (bytes > 3 * P.Distance) Sse.Prefetch1(next + 3 * P.Distance);
        if (bytes > 4 * P.Distance) Sse.Prefetch1(next + 4 * P.Distance);
        if (bytes > 5 * P.Distance) Sse.Prefetch1(next + 5 * P.Distance);
        if (bytes > 6 * P.Distance) Sse.Prefetch1(next + 6 * P.Distance);
        if (bytes > 7 * P.Distance) Sse.Prefetch1(next + 7 * P.Distance);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store2x2(Vector128<float> sums, float* first, float* second)
    {
        sums.GetLower().Store(first);
        sums.GetUpper().Store(second);
    }
}

/// <summary>Which cache lines of the next tile a kernel asks for.</summary>
internal interface IPrefetch
{
    /// <summary>Bytes from one to the next; 0 for none.</summary>
    static abstract int Distance { get; }

    /// <summary>Passes over a tile, each with other tokens, that share the lines.</summary>
    static virtual int Passes => 1;
}

/// <summary>The rows of the next tile are in a cache already.</summary>
internal readonly struct NoPrefetch : IPrefetch
{
    public static int Distance => 0;
}

/// <summary>Where memory is the limit: the processor fetches lines in pairs, and fewer instructions leave more loads in flight.</summary>
internal readonly struct PrefetchPairs : IPrefetch
{
    public static int Distance => 128;
}

/// <summary>Where arithmetic takes as long as memory.</summary>
internal readonly struct PrefetchLines : IPrefetch
{
    public static int Distance => 64;
}

/// <summary>The same where the first two passes over a tile ask for half of the next one each.</summary>
internal readonly struct PrefetchLinesInTwoPasses : IPrefetch
{
    public static int Distance => 64;
    public static int Passes => 2;
}
