using System.Numerics;
using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>Element types in memory. To 16 bits it rounds to nearest, ties to even.</summary>
internal static unsafe class ElementConversion
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(byte* data, long index, DType dtype) => dtype switch
    {
        DType.F32 => ((float*)data)[index],
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[index] << 16),
        _ => (float)((Half*)data)[index],
    };

    public static void ToSingle(byte* source, DType dtype, float* destination, long count)
    {
        if (dtype == DType.F32) Buffer.MemoryCopy(source, destination, count * sizeof(float), count * sizeof(float));
        else if (dtype == DType.BF16) WidenBFloat16((ushort*)source, (uint*)destination, count);
        else for (long i = 0; i < count; i++) destination[i] = (float)((Half*)source)[i];
    }

    public static void Convert(byte* source, DType from, byte* destination, DType to, long count)
    {
        if (to == DType.F32) ToSingle(source, from, (float*)destination, count);
        else if (from == to) Buffer.MemoryCopy(source, destination, count * to.Bytes(), count * to.Bytes());
        else if (to == DType.BF16)
            for (long i = 0; i < count; i++) ((ushort*)destination)[i] = ToBFloat16(ToSingle(source, i, from));
        else
            for (long i = 0; i < count; i++) ((Half*)destination)[i] = (Half)ToSingle(source, i, from);
    }

    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>Position of the first infinity or NaN, or -1.</summary>
    public static long IndexOfNonFiniteFloat16(ushort* data, long count)
    {
        const ushort exponent = 0x7C00;
        var mask = new Vector<ushort>(exponent);
        long i = 0;
        for (; i + Vector<ushort>.Count <= count; i += Vector<ushort>.Count)
            if (Vector.EqualsAny(Unsafe.ReadUnaligned<Vector<ushort>>(data + i) & mask, mask)) break;
        for (; i < count; i++)
            if ((data[i] & exponent) == exponent) return i;
        return -1;
    }

    private static void WidenBFloat16(ushort* source, uint* destination, long count)
    {
        long i = 0;
        for (; i + Vector<ushort>.Count <= count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Unsafe.ReadUnaligned<Vector<ushort>>(source + i), out var low, out var high);
            Unsafe.WriteUnaligned(destination + i, low << 16);
            Unsafe.WriteUnaligned(destination + i + Vector<uint>.Count, high << 16);
        }
        for (; i < count; i++) destination[i] = (uint)source[i] << 16;
    }
}
