using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>A rectangle of a matrix in a file.</summary>
/// <param name="position">Of its first element, in bytes.</param>
/// <param name="rowStride">Bytes from one row to the next.</param>
internal sealed class FileSlice(SafeTensorsFile file, long position, long rowStride) : WeightSlice
{
    public override void CopyRows(int first, int count, Span<byte> destination)
    {
        var width = Columns * DType.Bytes();
        if (width == rowStride)
        {
            file.Read(position + first * rowStride, destination[..checked(count * width)]);
            return;
        }
        for (var row = 0; row < count; row++)
            file.Read(position + (first + row) * rowStride, destination.Slice(row * width, width));
    }
}
