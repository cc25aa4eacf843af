namespace Harness.Tensors.Cpu;

/// <summary>Element types in memory, one row at a time. To 16 bits it rounds to nearest, ties to even.</summary>
internal static unsafe class ElementConversion
{
    public static float ToSingle(byte* data, long index, DType dtype) => dtype switch
    {
        DType.F32 => ((float*)data)[index],
        DType.BF16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)data)[index] << 16),
        _ => (float)((Half*)data)[index],
    };

    public static void ToSingle(byte* source, DType dtype, float* destination, long count)
    {
        for (long i = 0; i < count; i++) destination[i] = ToSingle(source, i, dtype);
    }

    public static void Convert(byte* source, DType from, byte* destination, DType to, long count)
    {
        if (from == to)
        {
            Buffer.MemoryCopy(source, destination, count * to.Bytes(), count * to.Bytes());
            return;
        }
        for (long i = 0; i < count; i++)
        {
            var value = ToSingle(source, i, from);
            if (to == DType.F32) ((float*)destination)[i] = value;
            else if (to == DType.BF16) ((ushort*)destination)[i] = ToBFloat16(value);
            else ((Half*)destination)[i] = (Half)value;
        }
    }

    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
