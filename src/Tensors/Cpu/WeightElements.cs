using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>
/// How kernels read weights of one element type: two vectors from 2 · Lanes stored columns at a time. 16-bit types
/// give the even columns, then the odd ones, which costs one operation each and no shuffle; float32 keeps its order.
/// Each half is read by itself, so that a kernel need not hold both in registers.
/// </summary>
internal unsafe interface IWeightElement
{
    static abstract int Bytes { get; }
    static abstract bool Interleaved { get; }

    /// <summary>
    /// What activations are multiplied by when they are packed, a power of two: weights come divided by it and by
    /// <see cref="OutputScale"/>.
    /// </summary>
    static abstract float InputScale { get; }

    /// <summary>What sums of products are multiplied by, a power of two.</summary>
    static abstract float OutputScale { get; }

    static abstract V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct;
    static abstract V Second<S, V>(byte* source) where S : struct, ISimd<V> where V : struct;
}

/// <summary>The same of keys and values, which are written one by one as they come.</summary>
internal unsafe interface ICacheElement : IWeightElement
{
    /// <summary>Of this magnitude and above a finite float32 becomes infinite.</summary>
    static abstract float Limit { get; }

    /// <summary>Rounded to nearest, ties to even.</summary>
    static abstract void Write(float value, byte* destination);

    /// <summary>Both halves by one load of the 16-bit types, for kernels that have registers for both and none to spare of loads.</summary>
    static abstract void Both<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct;
}

internal readonly unsafe struct Float32Element : ICacheElement
{
    public static int Bytes => 4;
    public static bool Interleaved => false;
    public static float InputScale => 1;
    public static float OutputScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.Load((float*)source + S.Lanes);

    public static float Limit => float.PositiveInfinity;
    public static void Write(float value, byte* destination) => *(float*)destination = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Both<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct =>
        (first, second) = (First<S, V>(source), Second<S, V>(source));
}

internal readonly unsafe struct BFloat16Element : ICacheElement
{
    public static int Bytes => 2;
    public static bool Interleaved => true;
    public static float InputScale => 1;
    public static float OutputScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.ShiftLeft16(S.Load((float*)source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => S.LoadOdd16(source);

    /// <summary>Half way from the largest, 2¹²⁸ - 2¹²⁰, to what would follow it.</summary>
    public static float Limit => 3.3961775e38f;
    public static void Write(float value, byte* destination) => *(ushort*)destination = ElementConversion.ToBFloat16(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Both<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct
    {
        var both = S.Load((float*)source);
        first = S.ShiftLeft16(both);
        second = S.And(both, 0xFFFF0000);
    }
}

/// <summary>Every finite float16; infinities and NaN are refused when a weight is loaded.</summary>
internal readonly unsafe struct Float16Element : ICacheElement
{
    public static int Bytes => 2;
    public static bool Interleaved => true;
    public static float InputScale => 1;
    public static float OutputScale => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct =>
        Widen<S, V>(S.ShiftLeft16(S.Load((float*)source)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* source) where S : struct, ISimd<V> where V : struct => Widen<S, V>(S.LoadOdd16(source));

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

    /// <summary>Half way from the largest, 65504, to what would follow it.</summary>
    public static float Limit => 65520;
    public static void Write(float value, byte* destination) => *(Half*)destination = (Half)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Both<S, V>(byte* source, out V first, out V second) where S : struct, ISimd<V> where V : struct
    {
        var both = S.Load((float*)source);
        first = Widen<S, V>(S.ShiftLeft16(both));
        second = Widen<S, V>(S.And(both, 0xFFFF0000));
    }
}

/// <summary>
/// Every finite float16, divided by 2¹¹²: its bits at float32's places are that, subnormal ones included, for two or three operations
/// on integers. Subnormal ones become float32 subnormals, so this is for processors that multiply those as quickly as others.
/// Activations take 2⁹⁶ of the 2¹¹², which leaves those of up to 2³² finite, and sums take the rest. Powers of two round nothing: the
/// results have the bits of <see cref="Float16Element"/> as long as no sum of products is below 2⁻¹¹⁰.
/// </summary>
internal readonly unsafe struct ScaledFloat16Element : IWeightElement
{
    /// <summary>Sign, exponent and fraction.</summary>
    private const uint Bits = 0x8FFFE000;

    public static int Bytes => 2;
    public static bool Interleaved => true;
    public static float InputScale => 7.922816251426434e28f;        // 2^96
    public static float OutputScale => 65536;                       // 2^16

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V First<S, V>(byte* source) where S : struct, ISimd<V> where V : struct =>
        S.And(S.ShiftRightSigned3(S.ShiftLeft16(S.Load((float*)source))), Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Second<S, V>(byte* source) where S : struct, ISimd<V> where V : struct =>
        S.And(S.ShiftRightSigned3(S.LoadAgain((float*)source)), Bits);
}
