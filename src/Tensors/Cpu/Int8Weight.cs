using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>Rows in one place, in blocks of eight: outputs [FirstOutput, FirstOutput + Rows) of a weight.</summary>
internal readonly unsafe struct Int8Segment(byte* data, int firstOutput, int rows)
{
    public readonly byte* Data = data;
    public readonly int FirstOutput = firstOutput;
    public readonly int Rows = rows;

    /// <summary>The last one may hold rows of zeros, which nobody asks for.</summary>
    public int Blocks => Int8Weight.BlocksOf(Rows);
}

/// <summary>
/// A matrix in groups of 32 columns. Eight rows are a block, so that a vector of eight sums has one row in each lane and nothing is
/// added up across lanes: [group][four columns][row][column] of int8, 256 bytes a group, then [group][row] of float16, 16 bytes a group.
/// </summary>
internal sealed unsafe class Int8Weight : Weight
{
    public const int BlockRows = 8, GroupColumns = 32;

    /// <summary>Bytes of a block's part of one group: values and scales.</summary>
    public const int GroupBytes = BlockRows * GroupColumns, GroupScaleBytes = BlockRows * sizeof(ushort);

    private readonly Int8Segment[] _segments;

    public Int8Weight(IReadOnlyList<Int8Segment> segments)
    {
        // Pinned: the kernels hold a pointer to it.
        _segments = GC.AllocateArray<Int8Segment>(segments.Count, pinned: true);
        for (var i = 0; i < _segments.Length; i++) _segments[i] = segments[i];
        Segments = (Int8Segment*)Unsafe.AsPointer(ref _segments[0]);
    }

    /// <summary>Valid as long as this object is reachable.</summary>
    public Int8Segment* Segments { get; }

    public int SegmentCount => _segments.Length;

    public int Groups => GroupsOf(Inputs);

    public static int GroupsOf(int columns) => (columns + GroupColumns - 1) / GroupColumns;

    public static int BlocksOf(int rows) => (rows + BlockRows - 1) / BlockRows;

    public static long BlockBytes(int groups) => (long)groups * (GroupBytes + GroupScaleBytes);

    /// <summary>One row as float32, [Inputs].</summary>
    public void CopyRow(int output, float* destination)
    {
        foreach (var segment in _segments)
        {
            if (output >= segment.FirstOutput + segment.Rows) continue;
            var (block, row) = Math.DivRem(output - segment.FirstOutput, BlockRows);
            var values = segment.Data + block * BlockBytes(Groups);
            var scales = (Half*)(values + (long)Groups * GroupBytes);
            for (var column = 0; column < Inputs; column++)
                destination[column] = ((sbyte*)values)[Place(row, column)] * (float)scales[column / GroupColumns * BlockRows + row];
            return;
        }
        throw new ArgumentOutOfRangeException(nameof(output), output, $"the weight has {Outputs} rows");
    }

    /// <summary>Where a value stands behind the start of its block.</summary>
    public static long Place(int row, int column) => (long)(column / 4) * (BlockRows * 4) + row * 4 + column % 4;
}
