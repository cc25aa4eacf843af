using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>
/// How kernels read weights of one element type: two vectors from 2 · Lanes stored columns at a time. 16-bit types
/// give the even columns, then the odd ones, which costs one operation each and no shuffle; float32 keeps its order.
/// </summary>
internal unsafe interface IWeightElement
{
    static abstract int Bytes { get; }
    static abstract bool Interleaved { get; }

    static abstract void Load<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct;
}

internal readonly unsafe struct Float32Element : IWeightElement
{
    public static int Bytes => 4;
    public static bool Interleaved => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct
    {
        first = S.Load((float*)source);
        second = S.Load((float*)source + S.Lanes);
    }
}

internal readonly unsafe struct BFloat16Element : IWeightElement
{
    public static int Bytes => 2;
    public static bool Interleaved => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct
    {
        first = S.ShiftLeft16(S.Load((float*)source));
        second = S.LoadOdd16(source);
    }
}

/// <summary>Every finite float16; infinities and NaN are refused when a weight is loaded.</summary>
internal readonly unsafe struct Float16Element : IWeightElement
{
    public static int Bytes => 2;
    public static bool Interleaved => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct
    {
        first = Widen<S, V>(S.ShiftLeft16(S.Load((float*)source)));
        second = Widen<S, V>(S.LoadOdd16(source));
    }

    /// <summary>
    /// The float16 in the upper half of each lane. Exponent and fraction move to float32's place, and 112, the
    /// difference of the biases, is added: that is the value n of a normal number. For a subnormal one, whose fraction
    /// hangs on no implicit 1, the value is 2n - 2⁻¹⁴. Of the two the smaller is always the right one. Exact, and
    /// without arithmetic on float32 subnormals, which is slow on some processors.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Widen<S, V>(V high) where S : struct, ISimd<V> where V : struct
    {
        var normal = S.AddBits(S.ShiftRight3(S.And(high, 0x7FFF0000)), 112u << 23);
        var subnormal = S.MultiplyAdd(normal, S.Broadcast(2), S.Broadcast(-6.103515625e-5f));
        return S.WithSign(S.Min(normal, subnormal), high);
    }
}
