namespace Harness.Tensors.Cpu;

/// <summary>
/// Brings slices into memory: in place where the stored rows are dense and of the wanted type, else copied into own
/// pages, several rows at a time on every worker.
/// </summary>
internal static unsafe class WeightLoader
{
    public static CpuWeight Load(IReadOnlyList<WeightSlice> parts, DType storage, WorkerTeam team, List<PageBlock> owned)
    {
        if (parts.Count == 0) throw new ArgumentException("a weight needs at least one slice", nameof(parts));
        var columns = parts[0].Columns;
        var segments = new WeightSegment[parts.Count];
        var outputs = 0;
        for (var i = 0; i < parts.Count; i++)
        {
            var part = parts[i];
            if (part.Columns != columns)
                throw new ArgumentException($"{part.Name} has {part.Columns} columns, {parts[0].Name} has {columns}: they cannot be one weight", nameof(parts));
            segments[i] = new WeightSegment(LoadSlice(part, storage, owned), outputs, part.Rows);
            outputs += part.Rows;
        }
        return new CpuWeight { DType = storage, Outputs = outputs, Inputs = columns, Segments = segments };
    }

    private static byte* LoadSlice(WeightSlice part, DType storage, List<PageBlock> owned)
    {
        var rowBytes = (long)part.Columns * storage.Bytes();
        if (part.Address != 0 && part.DType == storage && part.RowStride == rowBytes)
        {
            PageBlock.Populate(part.Address, rowBytes * part.Rows);
            return (byte*)part.Address;
        }
        var pages = new PageBlock(rowBytes * part.Rows, hugePages: true);
        owned.Add(pages);
        var row = new byte[(long)part.Columns * part.DType.Bytes()];
        fixed (byte* source = row)
            for (var r = 0; r < part.Rows; r++)
            {
                part.CopyRows(r, 1, row);
                ElementConversion.Convert(source, part.DType, pages.Data + r * rowBytes, storage, part.Columns);
            }
        return pages.Data;
    }
}
