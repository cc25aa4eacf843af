using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>A rectangle of a memory-mapped matrix.</summary>
internal sealed unsafe class MappedSlice(nint address, long rowStride) : WeightSlice
{
    public override nint Address => address;
    public override long RowStride => rowStride;

    public override void CopyRows(int first, int count, Span<byte> destination)
    {
        var width = Columns * DType.Bytes();
        for (var row = 0; row < count; row++)
            new ReadOnlySpan<byte>((byte*)address + (first + row) * rowStride, width).CopyTo(destination[(row * width)..]);
    }
}
