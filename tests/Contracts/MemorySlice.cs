using Harness.Tensors;

namespace Harness.Tests.Contracts;

/// <summary>A weight slice over values that a test made, kept as the bytes that a checkpoint would hold.</summary>
public sealed class MemorySlice : WeightSlice
{
    private readonly byte[] _bytes;
    private readonly long _stride;

    /// <param name="values">[rows, columns]; rounded to <paramref name="dtype"/>.</param>
    /// <param name="padding">Elements between the end of one row and the start of the next.</param>
    public static MemorySlice Of(float[] values, int rows, DType dtype, int padding = 0)
    {
        var columns = values.Length / rows;
        var bytes = new byte[(long)rows * (columns + padding) * dtype.Bytes()];
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++)
                Write(bytes, (r * (columns + padding) + c) * dtype.Bytes(), values[r * columns + c], dtype);
        return new MemorySlice(bytes, (columns + padding) * dtype.Bytes())
        {
            Name = "test",
            DType = dtype,
            Rows = rows,
            Columns = columns
        };
    }

    private MemorySlice(byte[] bytes, long stride) => (_bytes, _stride) = (bytes, stride);

    public override void CopyRows(int first, int count, Span<byte> destination)
    {
        var row = Columns * DType.Bytes();
        for (var r = 0; r < count; r++)
            _bytes.AsSpan((int)((first + r) * _stride), row).CopyTo(destination[(r * row)..]);
    }

    /// <summary>What a value becomes in storage.</summary>
    public static double Stored(float value, DType dtype)
    {
        var bytes = new byte[4];
        Write(bytes, 0, value, dtype);
        return dtype switch
        {
            DType.F32 => value,
            DType.F16 => (double)BitConverter.ToHalf(bytes, 0),
            _ => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(bytes, 0) << 16),
        };
    }

    private static void Write(byte[] bytes, int at, float value, DType dtype)
    {
        if (dtype == DType.F32) BitConverter.TryWriteBytes(bytes.AsSpan(at), value);
        else if (dtype == DType.F16) BitConverter.TryWriteBytes(bytes.AsSpan(at), (Half)value);
        else BitConverter.TryWriteBytes(bytes.AsSpan(at), NearestBFloat16(value));
    }

    /// <summary>Of the two neighbours of a finite value the nearer one, the even one among equals; found by their distance.</summary>
    private static ushort NearestBFloat16(float value)
    {
        var down = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
        var up = (ushort)(down + 1);
        double below = BitConverter.UInt32BitsToSingle((uint)down << 16), above = BitConverter.UInt32BitsToSingle((uint)up << 16);
        var (toBelow, toAbove) = (Math.Abs(value - below), Math.Abs(above - value));
        return toBelow < toAbove || (toBelow == toAbove && down % 2 == 0) ? down : up;
    }
}
