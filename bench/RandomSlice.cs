using System.Runtime.InteropServices;
using Harness.Tensors;

namespace Harness.Bench;

/// <summary>A weight of pseudo-random values near ±0.02, made row by row: what a kernel's time hangs on is its shape alone.</summary>
internal sealed class RandomSlice : WeightSlice
{
    public override void CopyRows(int first, int count, Span<byte> destination)
    {
        var state = (ulong)first * 0x9E3779B97F4A7C15 + 1;
        if (DType == DType.F32)
            foreach (ref var value in MemoryMarshal.Cast<byte, float>(destination)) value = 0.02f * Next(ref state);
        else if (DType == DType.F16)
            foreach (ref var value in MemoryMarshal.Cast<byte, Half>(destination)) value = (Half)(0.02f * Next(ref state));
        else
            foreach (ref var value in MemoryMarshal.Cast<byte, ushort>(destination))
                value = (ushort)(BitConverter.SingleToUInt32Bits(0.02f * Next(ref state)) >> 16);
    }

    /// <summary>In [-1, 1), by xorshift (Marsaglia 2003).</summary>
    private static float Next(ref ulong state)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return (int)(state >> 32) * (1f / 2147483648);
    }
}
