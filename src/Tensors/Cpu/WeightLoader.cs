using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Copies slices into own pages, in the wanted type. All workers share the rows.
/// </summary>
internal static unsafe class WeightLoader
{
    /// <summary>Bytes that a worker copies at a time, so that conversion finds them in cache.</summary>
    private const long CopyBytes = 256 << 10;

    /// <exception cref="UserErrorException">A value does not fit float16.</exception>
    public static CpuWeight Load(IReadOnlyList<WeightSlice> parts, DType storage, WorkerTeam team, Arena memory)
    {
        var columns = CommonColumns(parts);
        var segments = new WeightSegment[parts.Count];
        var outputs = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            segments[i] = new WeightSegment(LoadSlice(parts[i], storage, team, memory), outputs, parts[i].Rows);
            outputs += parts[i].Rows;
        }
        return new CpuWeight(segments) { DType = storage, Outputs = outputs, Inputs = columns };
    }

    /// <exception cref="ArgumentException">There are none, or they differ.</exception>
    public static int CommonColumns(IReadOnlyList<WeightSlice> parts)
    {
        if (parts.Count == 0) throw new ArgumentException("a weight needs at least one slice", nameof(parts));
        var first = parts[0];
        return parts.FirstOrDefault(part => part.Columns != first.Columns) is not { } odd ? first.Columns
            : throw new ArgumentException($"{odd.Name} has {odd.Columns} columns, {first.Name} has {first.Columns}: they cannot be one "
                + "weight", nameof(parts));
    }

    private static byte* LoadSlice(WeightSlice part, DType storage, WorkerTeam team, Arena memory)
    {
        var rowBytes = (long)part.Columns * storage.Bytes();
        var copy = (byte*)memory.Take(rowBytes * part.Rows);
        team.Run(worker =>
        {
            var (first, last) = WorkerTeam.Share(part.Rows, 1, worker, team.Threads);
            CopyRows(part, storage, copy, first, last);
        });
        return copy;
    }

    private static void CopyRows(WeightSlice part, DType storage, byte* destination, int first, int last)
    {
        long sourceRow = (long)part.Columns * part.DType.Bytes(), rowBytes = (long)part.Columns * storage.Bytes();
        var rows = (int)Math.Clamp(CopyBytes / sourceRow, 1, Math.Max(1, last - first));
        var buffer = part.DType == storage ? [] : new byte[rows * sourceRow];
        for (; first < last; first += rows)
        {
            rows = Math.Min(rows, last - first);
            var target = destination + first * rowBytes;
            if (part.DType == storage)
                part.CopyRows(first, rows, new Span<byte>(target, checked((int)(rows * rowBytes))));
            else
                fixed (byte* source = buffer)
                {
                    part.CopyRows(first, rows, buffer.AsSpan(0, (int)(rows * sourceRow)));
                    ElementConversion.Convert(source, part.DType, target, storage, (long)rows * part.Columns);
                }
            if (storage == DType.F16) RequireFinite(part, target, first, first + rows);
        }
    }

    /// <summary>The float16 kernels read an infinity as a large number, so none may come in, nor arise from conversion.</summary>
    private static void RequireFinite(WeightSlice part, byte* data, long first, long last)
    {
        var index = ElementConversion.IndexOfNonFiniteFloat16((ushort*)data, (last - first) * part.Columns);
        if (index < 0) return;
        var remedy = part.DType == DType.F16 ? "the checkpoint is damaged" : "use dtype bf16 or f32";
        throw new UserErrorException(
            $"{part.Name}: the value at row {first + index / part.Columns}, column {index % part.Columns} is not a finite float16; {remedy}");
    }
}
