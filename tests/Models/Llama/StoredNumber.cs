using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>Numbers in a checkpoint's element types, by arithmetic rather than by the program's conversions.</summary>
internal static class StoredNumber
{
    /// <summary>The nearest value of the type, ties to the even one, among normal numbers and the subnormal ones below.</summary>
    public static double Round(double value, DType dtype)
    {
        if (value == 0 || dtype == DType.F32) return (float)value;
        // Significant bits and the exponent of the smallest normal number: bfloat16 8 and -126, float16 11 and -14.
        var (bits, least) = dtype == DType.BF16 ? (8, -126) : (11, -14);
        var ulp = Math.ScaleB(1, Math.Max(Math.ILogB(value), least) - bits + 1);
        return Math.Round(value / ulp, MidpointRounding.ToEven) * ulp;
    }

    /// <summary>
    /// A group as Q8_0 has it: the nearest multiples of a 127th of the largest magnitude, times that 127th as it is stored. In float32 as
    /// llama.cpp reckons: an exact quotient can fall on the other side of a half.
    /// </summary>
    public static IEnumerable<double> RoundGroup(double[] group, MidpointRounding ties, Func<double, double> stored)
    {
        var step = (float)group.Max(Math.Abs) / 127;
        var inverse = step > 0 ? 1 / step : 0;
        return group.Select(value => Math.Round((double)((float)value * inverse), ties) * stored(step));
    }

    public static double Read(ReadOnlySpan<byte> bytes, string dtype) => dtype switch
    {
        "F32" => BitConverter.ToSingle(bytes),
        "F16" => (double)BitConverter.ToHalf(bytes),
        "BF16" => BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(bytes) << 16),
        _ => throw new NotSupportedException(dtype),
    };

    /// <param name="value">One that the type can hold, as from <see cref="Round"/>.</param>
    public static byte[] Bytes(double value, DType dtype) => dtype switch
    {
        DType.F32 => BitConverter.GetBytes((float)value),
        DType.F16 => BitConverter.GetBytes((Half)value),
        _ => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16)),
    };
}
