using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Float32 vectors of one width, so that each kernel is written once. <typeparamref name="V"/> is the vector itself:
/// the compiler specialises a kernel for each pair of type arguments and keeps V in registers.
/// </summary>
internal unsafe interface ISimd<V> where V : struct
{
    static abstract int Lanes { get; }
    static abstract V Zero { get; }
    static abstract V Load(float* source);

    /// <summary>
    /// The same by another instruction where there is one: the compiler makes one load of two equal ones, and of the value that it
    /// keeps for the second a spilled register.
    /// </summary>
    static abstract V LoadAgain(float* source);
    static abstract void Store(V value, float* destination);
    static abstract V Broadcast(float value);
    static abstract V Add(V a, V b);
    static abstract V Subtract(V a, V b);
    static abstract V Multiply(V a, V b);
    static abstract V Divide(V a, V b);
    static abstract V Max(V a, V b);
    static abstract V Min(V a, V b);

    /// <summary>a · b + c, rounded once where the processor can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract V Round(V a);

    /// <summary>2 to the power of a lane that holds an integer from -126 to 127.</summary>
    static abstract V PowerOfTwo(V a);

    // The lanes as 32-bit patterns.
    static abstract V And(V a, uint mask);
    static abstract V AddBits(V a, uint bits);
    static abstract V ShiftLeft16(V a);
    static abstract V ShiftRight3(V a);
    static abstract V ShiftRightSigned3(V a);

    /// <summary>a, whose sign is positive, with the sign of b.</summary>
    static abstract V WithSign(V a, V b);

    /// <summary>The odd ones of 2 · Lanes 16-bit numbers, each in the upper half of its lane above zeros.</summary>
    static abstract V LoadOdd16(byte* source);

    /// <summary>0 where a is below <paramref name="limit"/>, else b.</summary>
    static abstract V ZeroBelow(V a, float limit, V b);

    /// <summary>Lane by lane: whether a, as an unsigned pattern, is less than <paramref name="limit"/>, then b, else c.</summary>
    static abstract V SelectBelow(V a, uint limit, V b, V c);

    /// <summary>The even and the odd elements of a ‖ b.</summary>
    static abstract void Deinterleave(V a, V b, out V even, out V odd);

    /// <summary>Sum of the lanes. Its order is that of <see cref="Sum4"/>.</summary>
    static abstract float Sum(V a);

    /// <summary>The sums of four vectors.</summary>
    static abstract Vector128<float> Sum4(V a, V b, V c, V d);
}

internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Lanes => 4;
    public static Vector128<float> Zero => Vector128<float>.Zero;
    public static Vector128<float> Load(float* source) => Vector128.Load(source);
    public static Vector128<float> LoadAgain(float* source) =>
        Sse3.IsSupported ? Sse3.LoadDquVector128((uint*)source).AsSingle() : Vector128.Load(source);
    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);
    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);
    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.MinNative(a, b);
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);
    public static Vector128<float> Round(Vector128<float> a) => Vector128.Round(a);
    public static Vector128<float> PowerOfTwo(Vector128<float> a) =>
        ((Vector128.ConvertToInt32Native(a) + Vector128.Create(127)) << 23).AsSingle();
    public static Vector128<float> And(Vector128<float> a, uint mask) => (a.AsUInt32() & Vector128.Create(mask)).AsSingle();
    public static Vector128<float> AddBits(Vector128<float> a, uint bits) => (a.AsUInt32() + Vector128.Create(bits)).AsSingle();
    public static Vector128<float> ShiftLeft16(Vector128<float> a) => (a.AsUInt32() << 16).AsSingle();
    public static Vector128<float> ShiftRight3(Vector128<float> a) => (a.AsUInt32() >> 3).AsSingle();
    public static Vector128<float> ShiftRightSigned3(Vector128<float> a) => (a.AsInt32() >> 3).AsSingle();
    public static Vector128<float> WithSign(Vector128<float> a, Vector128<float> b) =>
        (a.AsUInt32() | (b.AsUInt32() & Vector128.Create(0x80000000))).AsSingle();

    public static Vector128<float> LoadOdd16(byte* source) =>
        And(LoadAgain((float*)source), 0xFFFF0000);

    public static Vector128<float> ZeroBelow(Vector128<float> a, float limit, Vector128<float> b) =>
        Vector128.AndNot(b, Vector128.LessThan(a, Vector128.Create(limit)));

    public static Vector128<float> SelectBelow(Vector128<float> a, uint limit, Vector128<float> b, Vector128<float> c) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a.AsUInt32(), Vector128.Create(limit)).AsSingle(), b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(Vector128<float> a, Vector128<float> b, out Vector128<float> even, out Vector128<float> odd)
    {
        if (Sse.IsSupported)
        {
            even = Sse.Shuffle(a, b, 0b10_00_10_00);
            odd = Sse.Shuffle(a, b, 0b11_01_11_01);
        }
        else if (AdvSimd.Arm64.IsSupported)
        {
            even = AdvSimd.Arm64.UnzipEven(a, b);
            odd = AdvSimd.Arm64.UnzipOdd(a, b);
        }
        else
        {
            even = Vector128.Create(a[0], a[2], b[0], b[2]);
            odd = Vector128.Create(a[1], a[3], b[1], b[3]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> a) => a[0] + a[1] + (a[2] + a[3]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (Sse3.IsSupported) return Sse3.HorizontalAdd(Sse3.HorizontalAdd(a, b), Sse3.HorizontalAdd(c, d));
        if (AdvSimd.Arm64.IsSupported) return AdvSimd.Arm64.AddPairwise(AdvSimd.Arm64.AddPairwise(a, b), AdvSimd.Arm64.AddPairwise(c, d));
        return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
    }
}

internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Lanes => 8;
    public static Vector256<float> Zero => Vector256<float>.Zero;
    public static Vector256<float> Load(float* source) => Vector256.Load(source);
    public static Vector256<float> LoadAgain(float* source) => Avx.LoadDquVector256((uint*)source).AsSingle();
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Avx.Max(a, b);
    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Avx.Min(a, b);
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Fma.MultiplyAdd(a, b, c);
    public static Vector256<float> Round(Vector256<float> a) => Avx.RoundToNearestInteger(a);
    public static Vector256<float> PowerOfTwo(Vector256<float> a) =>
        ((Avx.ConvertToVector256Int32(a) + Vector256.Create(127)) << 23).AsSingle();
    public static Vector256<float> And(Vector256<float> a, uint mask) => (a.AsUInt32() & Vector256.Create(mask)).AsSingle();
    public static Vector256<float> AddBits(Vector256<float> a, uint bits) => (a.AsUInt32() + Vector256.Create(bits)).AsSingle();
    public static Vector256<float> ShiftLeft16(Vector256<float> a) => (a.AsUInt32() << 16).AsSingle();
    public static Vector256<float> ShiftRight3(Vector256<float> a) => (a.AsUInt32() >> 3).AsSingle();
    public static Vector256<float> ShiftRightSigned3(Vector256<float> a) => (a.AsInt32() >> 3).AsSingle();
    public static Vector256<float> WithSign(Vector256<float> a, Vector256<float> b) =>
        (a.AsUInt32() | (b.AsUInt32() & Vector256.Create(0x80000000))).AsSingle();

    public static Vector256<float> LoadOdd16(byte* source) =>
        And(LoadAgain((float*)source), 0xFFFF0000);

    public static Vector256<float> ZeroBelow(Vector256<float> a, float limit, Vector256<float> b) =>
        Vector256.AndNot(b, Vector256.LessThan(a, Vector256.Create(limit)));

    public static Vector256<float> SelectBelow(Vector256<float> a, uint limit, Vector256<float> b, Vector256<float> c) =>
        Vector256.ConditionalSelect(Vector256.LessThan(a.AsUInt32(), Vector256.Create(limit)).AsSingle(), b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(Vector256<float> a, Vector256<float> b, out Vector256<float> even, out Vector256<float> odd)
    {
        // Within 128-bit halves first: a0 a2 b0 b2 | a4 a6 b4 b6, then the 64-bit quarters into order.
        even = Avx2.Permute4x64(Avx.Shuffle(a, b, 0b10_00_10_00).AsDouble(), 0b11_01_10_00).AsSingle();
        odd = Avx2.Permute4x64(Avx.Shuffle(a, b, 0b11_01_11_01).AsDouble(), 0b11_01_10_00).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Fold(Vector256<float> a) => a.GetLower() + a.GetUpper();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a) => Simd128.Sum(Fold(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        Simd128.Sum4(Fold(a), Fold(b), Fold(c), Fold(d));
}

internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Lanes => 16;
    public static Vector512<float> Zero => Vector512<float>.Zero;
    public static Vector512<float> Load(float* source) => Vector512.Load(source);
    public static Vector512<float> LoadAgain(float* source) => Vector512.Load(source);
    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Avx512F.Max(a, b);
    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Avx512F.Min(a, b);
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Avx512F.FusedMultiplyAdd(a, b, c);
    public static Vector512<float> Round(Vector512<float> a) => Avx512F.RoundScale(a, 0);
    public static Vector512<float> PowerOfTwo(Vector512<float> a) =>
        ((Avx512F.ConvertToVector512Int32(a) + Vector512.Create(127)) << 23).AsSingle();
    public static Vector512<float> And(Vector512<float> a, uint mask) => (a.AsUInt32() & Vector512.Create(mask)).AsSingle();
    public static Vector512<float> AddBits(Vector512<float> a, uint bits) => (a.AsUInt32() + Vector512.Create(bits)).AsSingle();
    public static Vector512<float> ShiftLeft16(Vector512<float> a) => (a.AsUInt32() << 16).AsSingle();
    public static Vector512<float> ShiftRight3(Vector512<float> a) => (a.AsUInt32() >> 3).AsSingle();
    public static Vector512<float> ShiftRightSigned3(Vector512<float> a) => (a.AsInt32() >> 3).AsSingle();
    public static Vector512<float> WithSign(Vector512<float> a, Vector512<float> b) =>
        (a.AsUInt32() | (b.AsUInt32() & Vector512.Create(0x80000000))).AsSingle();

    // One masked load for what would be a load and an operation: fewer instructions leave room for more loads in flight.
    public static Vector512<float> LoadOdd16(byte* source) =>
        Avx512BW.MaskLoad((ushort*)source, Vector512.Create(0xFFFF0000).AsUInt16(), Vector512<ushort>.Zero).AsSingle();

    public static Vector512<float> ZeroBelow(Vector512<float> a, float limit, Vector512<float> b) =>
        Vector512.AndNot(b, Vector512.LessThan(a, Vector512.Create(limit)));

    public static Vector512<float> SelectBelow(Vector512<float> a, uint limit, Vector512<float> b, Vector512<float> c) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a.AsUInt32(), Vector512.Create(limit)).AsSingle(), b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(Vector512<float> a, Vector512<float> b, out Vector512<float> even, out Vector512<float> odd)
    {
        even = Avx512F.PermuteVar16x32x2(a, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), b);
        odd = Avx512F.PermuteVar16x32x2(a, Vector512.Create(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), b);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Fold(Vector512<float> a)
    {
        var half = a.GetLower() + a.GetUpper();
        return half.GetLower() + half.GetUpper();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> a) => Simd128.Sum(Fold(a));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Simd128.Sum4(Fold(a), Fold(b), Fold(c), Fold(d));
}
