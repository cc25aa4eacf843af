using System.Numerics;
using System.Runtime.InteropServices;

namespace Harness.Sharding.Links;

/// <summary>float32 to bfloat16 and back: the upper half of the bits, rounded to nearest, ties to even; NaN stays NaN.</summary>
internal static class Bf16Wire
{
    private const uint QuietNaN = 0x7fc0;

    public static void Encode(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        var i = 0;
        var width = Vector<uint>.Count;
        var bits = MemoryMarshal.Cast<float, uint>(source);
        for (; i + 2 * width <= source.Length; i += 2 * width)
            Vector.Narrow(Round(new Vector<uint>(bits[i..])), Round(new Vector<uint>(bits[(i + width)..]))).CopyTo(destination[i..]);
        for (; i < source.Length; i++)
            destination[i] = float.IsNaN(source[i]) ? (ushort)QuietNaN : (ushort)((bits[i] + 0x7fff + ((bits[i] >> 16) & 1)) >> 16);
    }

    public static void Decode(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var i = 0;
        var width = Vector<ushort>.Count;
        var bits = MemoryMarshal.Cast<float, uint>(destination);
        for (; i + width <= source.Length; i += width)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            (low << 16).CopyTo(bits[i..]);
            (high << 16).CopyTo(bits[(i + width / 2)..]);
        }
        for (; i < source.Length; i++) bits[i] = (uint)source[i] << 16;
    }

    /// <summary>destination += source.</summary>
    public static void Accumulate(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var i = 0;
        var width = Vector<ushort>.Count;
        for (; i + width <= source.Length; i += width)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            (new Vector<float>(destination[i..]) + Vector.AsVectorSingle(low << 16)).CopyTo(destination[i..]);
            var upper = destination[(i + width / 2)..];
            (new Vector<float>(upper) + Vector.AsVectorSingle(high << 16)).CopyTo(upper);
        }
        for (; i < source.Length; i++) destination[i] += BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
    }

    private static Vector<uint> Round(Vector<uint> bits)
    {
        var rounded = (bits + new Vector<uint>(0x7fff) + ((bits >> 16) & Vector<uint>.One)) >> 16;
        var nan = Vector.GreaterThan(bits & new Vector<uint>(0x7fffffff), new Vector<uint>(0x7f800000));
        return Vector.ConditionalSelect(nan, new Vector<uint>(QuietNaN), rounded);
    }
}
