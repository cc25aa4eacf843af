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
    /// The float16 in the upper half of each lane. Its exponent and fraction move to float32's place; 112 is the
    /// difference of the exponents' biases. A subnormal gets one more, so that its fraction hangs on an implicit 1,
    /// and loses that 1 again by subtraction: exact, and without arithmetic on float32 subnormals, which is slow on
    /// some processors.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Widen<S, V>(V high) where S : struct, ISimd<V> where V : struct
    {
        var bits = S.And(S.ShiftRightArithmetic3(high), 0x8FFFE000);
        var magnitude = S.And(bits, 0x0FFFE000);
        var normal = S.AddBits(bits, 112u << 23);
        var sign = S.And(bits, 0x80000000);
        var one = S.AddBits(sign, 113u << 23);
        return S.SelectBelow(magnitude, 1u << 23, S.Subtract(S.AddBits(bits, 113u << 23), one), normal);
    }
}
