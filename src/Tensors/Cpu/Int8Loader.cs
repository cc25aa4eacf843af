using System.Runtime.Intrinsics;
using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Quantises slices as they are read: of a group with the largest magnitude m the scale is m / 127, and a value is the nearest multiple
/// of it, half away from zero; then the scale is rounded to float16. That is Q8_0 of llama.cpp (quantize_row_q8_0_ref), to the bit.
/// All workers share the rows, and no more of them than a few is in float32 at a time.
/// </summary>
internal static unsafe class Int8Loader
{
    private const int GroupColumns = Int8Weight.GroupColumns, BlockRows = Int8Weight.BlockRows;

    /// <summary>Bytes that a worker reads at a time, so that conversion finds them in cache.</summary>
    private const long CopyBytes = 256 << 10;

    /// <exception cref="UserErrorException">A value is not finite, or a group's scale is beyond float16.</exception>
    public static Int8Weight Load(IReadOnlyList<WeightSlice> parts, WorkerTeam team, Arena memory)
    {
        var columns = WeightLoader.CommonColumns(parts);
        var segments = new Int8Segment[parts.Count];
        var outputs = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            segments[i] = LoadSlice(parts[i], outputs, team, memory);
            outputs += parts[i].Rows;
        }
        return new Int8Weight(segments) { DType = DType.Int8, Outputs = outputs, Inputs = columns };
    }

    private static Int8Segment LoadSlice(WeightSlice part, int firstOutput, WorkerTeam team, Arena memory)
    {
        var groups = Int8Weight.GroupsOf(part.Columns);
        var data = (byte*)memory.Take(Int8Weight.BlocksOf(part.Rows) * Int8Weight.BlockBytes(groups));
        team.Run(worker =>
        {
            var (first, last) = WorkerTeam.Share(part.Rows, BlockRows, worker, team.Threads);
            if (first < last) LoadRows(part, data, first, last);
        });
        return new(data, firstOutput, part.Rows);
    }

    /// <param name="first">A multiple of the rows of a block.</param>
    private static void LoadRows(WeightSlice part, byte* data, int first, int last)
    {
        var (columns, groups) = (part.Columns, Int8Weight.GroupsOf(part.Columns));
        var sourceRow = (long)columns * part.DType.Bytes();
        var most = (int)Math.Clamp(CopyBytes / sourceRow, 1, last - first);
        var stored = new byte[most * sourceRow];
        // Zeros behind the last column, in the values and so in what becomes of them.
        var row = new float[groups * GroupColumns];
        fixed (byte* source = stored)
        fixed (float* values = row)
            for (; first < last; first += most)
            {
                var rows = Math.Min(most, last - first);
                part.CopyRows(first, rows, stored.AsSpan(0, (int)(rows * sourceRow)));
                for (var r = 0; r < rows; r++)
                {
                    ElementConversion.ToSingle(source + r * sourceRow, part.DType, values, columns);
                    var (block, place) = Math.DivRem(first + r, BlockRows);
                    if (!Quantise(values, groups, data + block * Int8Weight.BlockBytes(groups), place))
                        throw Objection(part, row, first + r);
                }
            }
    }

    /// <summary>One row into its place in a block.</summary>
    /// <returns>Whether all of it can be held.</returns>
    private static bool Quantise(float* values, int groups, byte* block, int row)
    {
        var scales = (Half*)(block + (long)groups * Int8Weight.GroupBytes) + row;
        var chunks = (int*)block + row;
        var quants = stackalloc sbyte[GroupColumns];
        for (var group = 0; group < groups; group++, values += GroupColumns, scales += BlockRows, chunks += GroupColumns / 4 * BlockRows)
        {
            var most = Int8Groups.LargestMagnitude(values);
            var scale = most / Int8Groups.Largest;
            *scales = (Half)scale;
            // A comparison that NaN fails, too.
            if (!(most < float.PositiveInfinity) || !Half.IsFinite(*scales)) return false;
            Int8Groups.RoundAwayFromZero(values, Int8Groups.Inverse(scale), quants);
            for (var chunk = 0; chunk < GroupColumns / 4; chunk++) chunks[chunk * BlockRows] = ((int*)quants)[chunk];
        }
        return true;
    }

    private static UserErrorException Objection(WeightSlice part, float[] row, int number)
    {
        var column = Array.FindIndex(row, value => !(MathF.Abs(value) / Int8Groups.Largest <= (float)Half.MaxValue));
        // Between the largest float16 and what is rounded up to infinity nothing has been found above.
        if (column < 0) column = Array.FindIndex(row, value => !Half.IsFinite((Half)(MathF.Abs(value) / Int8Groups.Largest)));
        return new(float.IsFinite(row[column])
            ? FormattableString.Invariant($"{part.Name}: the value {row[column]} at row {number}, column {column} makes a scale beyond ")
                + "float16; use dtype bf16 or f32"
            : $"{part.Name}: the value at row {number}, column {column} is not a finite number; the checkpoint is damaged");
    }
}
