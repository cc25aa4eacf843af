using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>Random bf16 weights, uniform with standard deviation 0.02 as LLaMA is initialised; norms are ones.</summary>
internal sealed class SyntheticSlice(TensorSlice slice) : WeightSlice
{
    private const float Amplitude = 0.0346410162f;      // 0.02 · √3
    private const ushort One = 0x3F80;

    private readonly uint _seed = slice.Name.Aggregate(2166136261u, (hash, c) => (hash ^ c) * 16777619u);    // FNV-1a
    private readonly bool _isNorm = slice.TotalRows == 1;

    public override void CopyRows(int first, int count, Span<byte> destination)
    {
        var values = MemoryMarshal.Cast<byte, ushort>(destination)[..(count * Columns)];
        if (_isNorm)
        {
            values.Fill(One);
            return;
        }
        for (var row = 0; row < count; row++)
        {
            var place = (uint)((long)(slice.Rows.Start + first + row) * slice.TotalColumns + slice.Columns.Start);
            Fill(values.Slice(row * Columns, Columns), place);
        }
    }

    /// <summary>The upper halves of float32 values: bf16 by truncation.</summary>
    private void Fill(Span<ushort> row, uint place)
    {
        var lanes = Vector256<uint>.Count;
        var i = 0;
        for (; i + 2 * lanes <= row.Length; i += 2 * lanes)
            Vector256.Narrow(
                Values(Vector256<uint>.Indices + Vector256.Create(place + (uint)i)) >>> 16,
                Values(Vector256<uint>.Indices + Vector256.Create(place + (uint)(i + lanes))) >>> 16).CopyTo(row[i..]);
        for (; i < row.Length; i++)
            row[i] = (ushort)(Values(Vector256.Create(place + (uint)i))[0] >> 16);
    }

    /// <summary>Murmur3's finaliser of the place, as the bits of a float in ±Amplitude.</summary>
    private Vector256<uint> Values(Vector256<uint> place)
    {
        var h = place * Vector256.Create(0x9E3779B1u) + Vector256.Create(_seed);
        h = (h ^ (h >>> 16)) * Vector256.Create(0x85EBCA6Bu);
        h = (h ^ (h >>> 13)) * Vector256.Create(0xC2B2AE35u);
        h ^= h >>> 16;
        return (Vector256.ConvertToSingle(h.AsInt32()) * Vector256.Create(Amplitude / 2147483648f)).AsUInt32();
    }
}
