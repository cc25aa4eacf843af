using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// How a processor multiplies int8 by int8 and adds up in int32, without saturation. A chunk is four columns of <see cref="Lanes"/> rows:
/// [row][column]. Lane r of a sum belongs to row r. <typeparamref name="V"/> holds int32, <typeparamref name="F"/> as many float32.
/// </summary>
internal unsafe interface IByteDot<V, F> where V : struct where F : struct
{
    /// <summary>Rows of a vector: 8 or 4.</summary>
    static abstract int Lanes { get; }

    /// <summary>Bytes of four packed columns of one token: as int8, or as two pairs of int16, columns 0 and 2, then 1 and 3.</summary>
    static abstract int ChunkBytes { get; }

    /// <summary>What a sum has to be multiplied by.</summary>
    static abstract float Unit { get; }

    /// <summary>Sums of a group in which nothing has been added, for a token whose 32 values add up to <paramref name="total"/>.</summary>
    static abstract V Start(int total);

    /// <summary>A chunk of weights, in two forms where two are needed.</summary>
    static abstract void Weights(byte* chunk, out V first, out V second);

    /// <summary>A token's four columns in every lane.</summary>
    static abstract void Columns(byte* packed, out V first, out V second);

    static abstract V Add(V sums, V firstWeights, V secondWeights, V firstColumns, V secondColumns);

    /// <summary>Float16 scales that are not negative, exactly.</summary>
    static abstract F Scales(ushort* scales);

    /// <summary>sums · (scales · factor) + accumulator; the last two rounded once where the processor can.</summary>
    static abstract F AddScaled(F accumulator, V sums, F scales, float factor);

    static abstract F Load(float* source);
    static abstract void Store(F value, float* destination);
}

/// <summary>
/// AVX2. A 16-bit lane of a chunk holds two columns. Shifted left by 8 it is 256 times the first; with its lower byte cleared, 256 times
/// the second: two operations that need no port of the multipliers. A sum of 32 products is at most 256 · 32 · 127² &lt; 2³¹.
/// </summary>
internal readonly unsafe struct ByteDot256 : IByteDot<Vector256<int>, Vector256<float>>
{
    public static int Lanes => 8;
    public static int ChunkBytes => 8;
    public static float Unit => 1f / 256;

    public static Vector256<int> Start(int total) => Vector256<int>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weights(byte* chunk, out Vector256<int> first, out Vector256<int> second)
    {
        var pairs = Vector256.Load((short*)chunk);
        first = (pairs << 8).AsInt32();
        second = (pairs & Vector256.Create(unchecked((short)0xFF00))).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Columns(byte* packed, out Vector256<int> first, out Vector256<int> second)
    {
        first = Avx2.BroadcastScalarToVector256((int*)packed);
        second = Avx2.BroadcastScalarToVector256((int*)packed + 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> sums, Vector256<int> firstWeights, Vector256<int> secondWeights,
        Vector256<int> firstColumns, Vector256<int> secondColumns) =>
        sums + Avx2.MultiplyAddAdjacent(firstWeights.AsInt16(), firstColumns.AsInt16())
            + Avx2.MultiplyAddAdjacent(secondWeights.AsInt16(), secondColumns.AsInt16());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scales(ushort* scales) =>
        HalfScales.Widen<Simd256, Vector256<float>>((Avx2.ConvertToVector256Int32(scales) << 13).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> AddScaled(Vector256<float> accumulator, Vector256<int> sums, Vector256<float> scales, float factor) =>
        Fma.MultiplyAdd(Avx.ConvertToVector256Single(sums), scales * Vector256.Create(factor), accumulator);

    public static Vector256<float> Load(float* source) => Vector256.Load(source);
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);
}

/// <summary>
/// AVX-VNNI: one instruction for a chunk, whose first factors are unsigned. Weights are taken with 128 added, which a sum that starts at
/// -128 times the token's total takes back.
/// </summary>
internal readonly unsafe struct ByteDotVnni : IByteDot<Vector256<int>, Vector256<float>>
{
    public static int Lanes => 8;
    public static int ChunkBytes => 4;
    public static float Unit => 1;

    public static Vector256<int> Start(int total) => Vector256.Create(-128 * total);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weights(byte* chunk, out Vector256<int> first, out Vector256<int> second)
    {
        first = Vector256.Load((int*)chunk) ^ Vector256.Create(unchecked((int)0x80808080));
        second = default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Columns(byte* packed, out Vector256<int> first, out Vector256<int> second)
    {
        first = Avx2.BroadcastScalarToVector256((int*)packed);
        second = default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Add(Vector256<int> sums, Vector256<int> firstWeights, Vector256<int> secondWeights,
        Vector256<int> firstColumns, Vector256<int> secondColumns) =>
        AvxVnni.MultiplyWideningAndAdd(sums, firstWeights.AsByte(), firstColumns.AsSByte());

    public static Vector256<float> Scales(ushort* scales) => ByteDot256.Scales(scales);

    public static Vector256<float> AddScaled(Vector256<float> accumulator, Vector256<int> sums, Vector256<float> scales, float factor) =>
        ByteDot256.AddScaled(accumulator, sums, scales, factor);

    public static Vector256<float> Load(float* source) => Vector256.Load(source);
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);
}

/// <summary>Vectors of 128 bits, as <see cref="ByteDot256"/> where there is no better.</summary>
internal readonly unsafe struct ByteDot128 : IByteDot<Vector128<int>, Vector128<float>>
{
    public static int Lanes => 4;
    public static int ChunkBytes => Dp.IsSupported ? 4 : 8;
    public static float Unit => Dp.IsSupported ? 1 : 1f / 256;

    public static Vector128<int> Start(int total) => Vector128<int>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Weights(byte* chunk, out Vector128<int> first, out Vector128<int> second)
    {
        var pairs = Vector128.Load((short*)chunk);
        first = Dp.IsSupported ? pairs.AsInt32() : (pairs << 8).AsInt32();
        second = Dp.IsSupported ? default : (pairs & Vector128.Create(unchecked((short)0xFF00))).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Columns(byte* packed, out Vector128<int> first, out Vector128<int> second)
    {
        first = Vector128.Create(*(int*)packed);
        second = Dp.IsSupported ? default : Vector128.Create(*((int*)packed + 1));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<int> Add(Vector128<int> sums, Vector128<int> firstWeights, Vector128<int> secondWeights,
        Vector128<int> firstColumns, Vector128<int> secondColumns) => Dp.IsSupported
        ? Dp.DotProduct(sums, firstWeights.AsSByte(), firstColumns.AsSByte())
        : sums + Pairs(firstWeights.AsInt16(), firstColumns.AsInt16()) + Pairs(secondWeights.AsInt16(), secondColumns.AsInt16());

    /// <summary>Products of 16-bit lanes, each added to its neighbour's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pairs(Vector128<short> a, Vector128<short> b)
    {
        if (Sse2.IsSupported) return Sse2.MultiplyAddAdjacent(a, b);
        Vector128<int> even = ((a.AsInt32() << 16) >> 16) * ((b.AsInt32() << 16) >> 16), odd = (a.AsInt32() >> 16) * (b.AsInt32() >> 16);
        return even + odd;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Scales(ushort* scales) => HalfScales.Widen<Simd128, Vector128<float>>(
        (Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)scales).AsUInt16()) << 13).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> AddScaled(Vector128<float> accumulator, Vector128<int> sums, Vector128<float> scales, float factor) =>
        Simd128.MultiplyAdd(Vector128.ConvertToSingle(sums), scales * Vector128.Create(factor), accumulator);

    public static Vector128<float> Load(float* source) => Vector128.Load(source);
    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);
}

internal static class HalfScales
{
    /// <summary>
    /// The value of a float16 that is not negative, from its bits at the place of float32's, exponent too low by 112: see
    /// <see cref="Float16Element"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Widen<S, V>(V shifted) where S : struct, ISimd<V> where V : struct
    {
        var normal = S.AddBits(shifted, 112u << 23);
        return S.Min(normal, S.MultiplyAdd(normal, S.Broadcast(2), S.Broadcast(-6.103515625e-5f)));
    }
}
