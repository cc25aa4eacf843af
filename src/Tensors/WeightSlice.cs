namespace Harness.Tensors;

/// <summary>
/// A rectangle of one stored matrix, [Rows, Columns] in <see cref="DType"/>: what one rank keeps of it.
/// A vector (a norm's gain) is one row. The bytes are read only when a backend asks for them.
/// </summary>
public abstract class WeightSlice
{
    /// <summary>The tensor's name in the checkpoint, for messages.</summary>
    public required string Name { get; init; }
    public required DType DType { get; init; }
    public required int Rows { get; init; }
    public required int Columns { get; init; }

    /// <summary>Copies rows [first, first + count), dense, in <see cref="DType"/>. Safe to call from several threads.</summary>
    public abstract void CopyRows(int first, int count, Span<byte> destination);

    public long Bytes => (long)Rows * Columns * DType.Bytes();
}
