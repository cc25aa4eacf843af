using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// The dot products of <see cref="DotKernels{S, V}"/> for processors with 16 vector registers, AVX2 and SSE: tiles of 12 accumulators,
/// enough for two multiply-adds a cycle that take four, and the halves of a step one after the other, so that no more than three
/// vectors of weights and one of activations are needed beside them. The chains and their order are the same, and so are the bits.
/// What the compiler makes of it, with AVX2 and bf16: a step of Dot3x4 is 24 multiply-adds, 8 loads of x, 6 of weights, 3 shifts and 3
/// masks, and nothing is spilled; Zen 3 runs it at 0.9 of its peak from the second-level cache. Dot4x3 has one of its vectors of weights
/// on the stack, which its multiply-adds read from there.
/// </summary>
internal static unsafe class DotKernels16<S, V> where S : struct, ISimd<V> where V : struct
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot6x2<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride, w4 = w3 + stride, w5 = w4 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero, a30 = S.Zero, a40 = S.Zero, a50 = S.Zero;
        V a01 = S.Zero, a11 = S.Zero, a21 = S.Zero, a31 = S.Zero, a41 = S.Zero, a51 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 6);
            V x0 = S.Load(x), x1 = S.Load(x + S.Lanes);
            var u0 = E.First<S, V>(w0 + k);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a01 = S.MultiplyAdd(x1, u0, a01);
            var u1 = E.First<S, V>(w1 + k);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a11 = S.MultiplyAdd(x1, u1, a11);
            var u2 = E.First<S, V>(w2 + k);
            a20 = S.MultiplyAdd(x0, u2, a20);
            a21 = S.MultiplyAdd(x1, u2, a21);
            var u3 = E.First<S, V>(w3 + k);
            a30 = S.MultiplyAdd(x0, u3, a30);
            a31 = S.MultiplyAdd(x1, u3, a31);
            var u4 = E.First<S, V>(w4 + k);
            a40 = S.MultiplyAdd(x0, u4, a40);
            a41 = S.MultiplyAdd(x1, u4, a41);
            var u5 = E.First<S, V>(w5 + k);
            a50 = S.MultiplyAdd(x0, u5, a50);
            a51 = S.MultiplyAdd(x1, u5, a51);
            V z0 = S.Load(x + 2 * S.Lanes), z1 = S.Load(x + 3 * S.Lanes);
            var v0 = E.Second<S, V>(w0 + k);
            a00 = S.MultiplyAdd(z0, v0, a00);
            a01 = S.MultiplyAdd(z1, v0, a01);
            var v1 = E.Second<S, V>(w1 + k);
            a10 = S.MultiplyAdd(z0, v1, a10);
            a11 = S.MultiplyAdd(z1, v1, a11);
            var v2 = E.Second<S, V>(w2 + k);
            a20 = S.MultiplyAdd(z0, v2, a20);
            a21 = S.MultiplyAdd(z1, v2, a21);
            var v3 = E.Second<S, V>(w3 + k);
            a30 = S.MultiplyAdd(z0, v3, a30);
            a31 = S.MultiplyAdd(z1, v3, a31);
            var v4 = E.Second<S, V>(w4 + k);
            a40 = S.MultiplyAdd(z0, v4, a40);
            a41 = S.MultiplyAdd(z1, v4, a41);
            var v5 = E.Second<S, V>(w5 + k);
            a50 = S.MultiplyAdd(z0, v5, a50);
            a51 = S.MultiplyAdd(z1, v5, a51);
            x += 4 * S.Lanes;
            k += step;
            next += nextStep;
        }
        S.Sum4(a00, a10, a20, a30).Store(y);
        S.Sum4(a01, a11, a21, a31).Store(y + tokenStride);
        var rest = S.Sum4(a40, a50, a41, a51);
        rest.GetLower().Store(y + 4);
        rest.GetUpper().Store(y + tokenStride + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4x3<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride, w3 = w2 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero, a30 = S.Zero;
        V a01 = S.Zero, a11 = S.Zero, a21 = S.Zero, a31 = S.Zero;
        V a02 = S.Zero, a12 = S.Zero, a22 = S.Zero, a32 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 4);
            V u0 = E.First<S, V>(w0 + k), u1 = E.First<S, V>(w1 + k), u2 = E.First<S, V>(w2 + k), u3 = E.First<S, V>(w3 + k);
            var x0 = S.Load(x);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a20 = S.MultiplyAdd(x0, u2, a20);
            a30 = S.MultiplyAdd(x0, u3, a30);
            var x1 = S.Load(x + S.Lanes);
            a01 = S.MultiplyAdd(x1, u0, a01);
            a11 = S.MultiplyAdd(x1, u1, a11);
            a21 = S.MultiplyAdd(x1, u2, a21);
            a31 = S.MultiplyAdd(x1, u3, a31);
            var x2 = S.Load(x + 2 * S.Lanes);
            a02 = S.MultiplyAdd(x2, u0, a02);
            a12 = S.MultiplyAdd(x2, u1, a12);
            a22 = S.MultiplyAdd(x2, u2, a22);
            a32 = S.MultiplyAdd(x2, u3, a32);
            V v0 = E.Second<S, V>(w0 + k), v1 = E.Second<S, V>(w1 + k), v2 = E.Second<S, V>(w2 + k), v3 = E.Second<S, V>(w3 + k);
            var z0 = S.Load(x + 3 * S.Lanes);
            a00 = S.MultiplyAdd(z0, v0, a00);
            a10 = S.MultiplyAdd(z0, v1, a10);
            a20 = S.MultiplyAdd(z0, v2, a20);
            a30 = S.MultiplyAdd(z0, v3, a30);
            var z1 = S.Load(x + 4 * S.Lanes);
            a01 = S.MultiplyAdd(z1, v0, a01);
            a11 = S.MultiplyAdd(z1, v1, a11);
            a21 = S.MultiplyAdd(z1, v2, a21);
            a31 = S.MultiplyAdd(z1, v3, a31);
            var z2 = S.Load(x + 5 * S.Lanes);
            a02 = S.MultiplyAdd(z2, v0, a02);
            a12 = S.MultiplyAdd(z2, v1, a12);
            a22 = S.MultiplyAdd(z2, v2, a22);
            a32 = S.MultiplyAdd(z2, v3, a32);
            x += 6 * S.Lanes;
            k += step;
            next += nextStep;
        }
        S.Sum4(a00, a10, a20, a30).Store(y);
        S.Sum4(a01, a11, a21, a31).Store(y + tokenStride);
        S.Sum4(a02, a12, a22, a32).Store(y + 2 * tokenStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot3x4<E, P>(byte* w, long stride, float* x, int steps, long lastStep, float* y, long tokenStride,
        byte* next, long nextStep) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        byte* w0 = w, w1 = w0 + stride, w2 = w1 + stride;
        V a00 = S.Zero, a10 = S.Zero, a20 = S.Zero;
        V a01 = S.Zero, a11 = S.Zero, a21 = S.Zero;
        V a02 = S.Zero, a12 = S.Zero, a22 = S.Zero;
        V a03 = S.Zero, a13 = S.Zero, a23 = S.Zero;
        var step = 2L * S.Lanes * E.Bytes;
        var k = 0L;
        for (; steps > 0; steps--)
        {
            k = Math.Min(k, lastStep);
            Prefetch<E, P>(next, 3);
            V u0 = E.First<S, V>(w0 + k), u1 = E.First<S, V>(w1 + k), u2 = E.First<S, V>(w2 + k);
            var x0 = S.Load(x);
            a00 = S.MultiplyAdd(x0, u0, a00);
            a10 = S.MultiplyAdd(x0, u1, a10);
            a20 = S.MultiplyAdd(x0, u2, a20);
            var x1 = S.Load(x + S.Lanes);
            a01 = S.MultiplyAdd(x1, u0, a01);
            a11 = S.MultiplyAdd(x1, u1, a11);
            a21 = S.MultiplyAdd(x1, u2, a21);
            var x2 = S.Load(x + 2 * S.Lanes);
            a02 = S.MultiplyAdd(x2, u0, a02);
            a12 = S.MultiplyAdd(x2, u1, a12);
            a22 = S.MultiplyAdd(x2, u2, a22);
            var x3 = S.Load(x + 3 * S.Lanes);
            a03 = S.MultiplyAdd(x3, u0, a03);
            a13 = S.MultiplyAdd(x3, u1, a13);
            a23 = S.MultiplyAdd(x3, u2, a23);
            V v0 = E.Second<S, V>(w0 + k), v1 = E.Second<S, V>(w1 + k), v2 = E.Second<S, V>(w2 + k);
            var z0 = S.Load(x + 4 * S.Lanes);
            a00 = S.MultiplyAdd(z0, v0, a00);
            a10 = S.MultiplyAdd(z0, v1, a10);
            a20 = S.MultiplyAdd(z0, v2, a20);
            var z1 = S.Load(x + 5 * S.Lanes);
            a01 = S.MultiplyAdd(z1, v0, a01);
            a11 = S.MultiplyAdd(z1, v1, a11);
            a21 = S.MultiplyAdd(z1, v2, a21);
            var z2 = S.Load(x + 6 * S.Lanes);
            a02 = S.MultiplyAdd(z2, v0, a02);
            a12 = S.MultiplyAdd(z2, v1, a12);
            a22 = S.MultiplyAdd(z2, v2, a22);
            var z3 = S.Load(x + 7 * S.Lanes);
            a03 = S.MultiplyAdd(z3, v0, a03);
            a13 = S.MultiplyAdd(z3, v1, a13);
            a23 = S.MultiplyAdd(z3, v2, a23);
            x += 8 * S.Lanes;
            k += step;
            next += nextStep;
        }
        StoreTokens(S.Sum4(a00, a01, a02, a03), y, tokenStride);
        StoreTokens(S.Sum4(a10, a11, a12, a13), y + 1, tokenStride);
        StoreTokens(S.Sum4(a20, a21, a22, a23), y + 2, tokenStride);
    }

    /// <summary>Asks for this pass's share of the next tile, past the second-level cache: every line is used once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch<E, P>(byte* next, int rows) where E : struct, IWeightElement where P : struct, IPrefetch
    {
        if (!Sse.IsSupported || P.Distance == 0) return;
        var bytes = 2 * S.Lanes * E.Bytes * rows / P.Passes;
        Sse.PrefetchNonTemporal(next);
        if (bytes > P.Distance) Sse.PrefetchNonTemporal(next + P.Distance);
        if (bytes > 2 * P.Distance) Sse.PrefetchNonTemporal(next + 2 * P.Distance);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreTokens(Vector128<float> sums, float* y, long tokenStride)
    {
        y[0] = sums[0];
        y[tokenStride] = sums[1];
        y[2 * tokenStride] = sums[2];
        y[3 * tokenStride] = sums[3];
    }
}
