using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>Functions of vectors, and what kernels need at the end of a row that is no multiple of a vector.</summary>
internal static unsafe class VectorMath<S, V> where S : struct, ISimd<V> where V : struct
{
    /// <summary>
    /// e to the x within 2 units in the last place; 0 below -87.33, infinity above 88.37. Polynomial and reduction of
    /// Cephes' expf (Moshier). Multiplies and adds are rounded one by one, so that every vector width, with or without
    /// a fused multiply-add, gives the same bits.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp(V x)
    {
        // The variable stands second in Min and Max: x86 then lets a NaN through.
        var bounded = S.Min(S.Broadcast(89), S.Max(S.Broadcast(-88), x));
        var n = S.Round(S.Multiply(bounded, S.Broadcast(1.44269504088896341f)));
        var r = S.Subtract(S.Subtract(bounded, S.Multiply(n, S.Broadcast(0.693359375f))), S.Multiply(n, S.Broadcast(-2.12194440e-4f)));
        var p = S.Add(S.Multiply(S.Broadcast(1.9875691500e-4f), r), S.Broadcast(1.3981999507e-3f));
        p = S.Add(S.Multiply(p, r), S.Broadcast(8.3334519073e-3f));
        p = S.Add(S.Multiply(p, r), S.Broadcast(4.1665795894e-2f));
        p = S.Add(S.Multiply(p, r), S.Broadcast(1.6666665459e-1f));
        p = S.Add(S.Multiply(p, r), S.Broadcast(5.0000001201e-1f));
        p = S.Add(S.Add(S.Multiply(p, S.Multiply(r, r)), r), S.Broadcast(1));
        return S.ZeroBelow(x, -87.33f, S.Multiply(p, S.PowerOfTwo(n)));
    }

    /// <summary>Largest lane.</summary>
    public static float Largest(V a)
    {
        var lanes = stackalloc float[S.Lanes];
        S.Store(a, lanes);
        var largest = lanes[0];
        for (var i = 1; i < S.Lanes; i++) largest = Math.Max(largest, lanes[i]);
        return largest;
    }

    /// <summary>The first <paramref name="count"/> lanes from memory, the others <paramref name="fill"/>.</summary>
    public static V LoadPart(float* source, int count, float fill)
    {
        var lanes = stackalloc float[S.Lanes];
        for (var i = 0; i < S.Lanes; i++) lanes[i] = i < count ? source[i] : fill;
        return S.Load(lanes);
    }

    public static void StorePart(V value, float* destination, int count)
    {
        var lanes = stackalloc float[S.Lanes];
        S.Store(value, lanes);
        for (var i = 0; i < count; i++) destination[i] = lanes[i];
    }
}
