using Harness.Tensors;
using TorchSharp;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>One attention call of a pass: its shape, and the index tensors and the mask that it needs, if any.</summary>
/// <param name="Rows">[places · queries] rows of the pass to take queries from; null where they are FirstRow, FirstRow + 1, …</param>
/// <param name="Slots">[places] cache slots to gather; null where they are consecutive.</param>
/// <param name="Mask">[places, 1, heads per key/value head · queries, tokens], 0 or -∞.</param>
internal sealed record AttentionCall(AttentionGroup Group, int FirstRow, DeviceTensor? Rows, DeviceTensor? Slots, DeviceTensor? Mask);

/// <summary>What all layers of one pass have in common; every index of it reaches the device in one copy.</summary>
internal sealed class AttentionPass : IDisposable
{
    private readonly List<DeviceTensor> _tensors = [];

    public AttentionPass(RaggedBatch batch, TorchKvCache cache, AttentionHeads heads, HostTransfer host, Launches launches)
    {
        using var scope = torch.NewDisposeScope();
        (Batch, Window) = (batch, heads.Window);
        var firstRows = new int[batch.Sequences];
        for (var s = 1; s < firstRows.Length; s++) firstRows[s] = firstRows[s - 1] + batch.Counts[s - 1];
        var headsPerKey = heads.Queries / heads.KeyValues;
        var groups = AttentionGroup.Of(batch, heads.Window, cache.PaddedCapacity);

        var plan = new IndexPlan();
        var slots = plan.Add(Enumerable.Range(0, batch.Sequences)
            .SelectMany(s => Enumerable.Repeat((long)batch.Slots[s], batch.Counts[s])));
        var positions = plan.Add(Enumerable.Range(0, batch.Sequences)
            .SelectMany(s => Enumerable.Range(batch.Starts[s], batch.Counts[s]).Select(p => (long)p)));
        var order = new long[batch.Rows];
        var results = 0;
        var parts = new List<(AttentionGroup Group, int FirstRow, Range? Rows, Range? Slots, Range? Seen)>();
        foreach (var group in groups)
        {
            var rows = group.Rows(batch, firstRows).ToArray();
            parts.Add((group, (int)rows[0],
                Consecutive(rows) ? null : plan.Add(rows),
                group.InPlace ? null : plan.Add(group.Places.Select(s => (long)batch.Slots[s])),
                group.Masked ? plan.Add(group.Positions(batch, headsPerKey)) : null));
            foreach (var (row, result) in group.Results(batch, firstRows)) order[row] = results + result;
            results += rows.Length;
        }
        Range? reordered = results == order.Length && Consecutive(order) ? null : plan.Add(order);

        var indices = host.Upload<long>(plan.Values, ScalarType.Int64);
        Keep(indices);
        Slots = Keep(Slice(slots).view(-1, 1));
        Positions = Keep(Slice(positions).view(-1, 1));
        Cosines = Keep(launches.Of(cache.Cosines.index_select(0, Slice(positions))).view(-1, 1, heads.Dimension));
        Sines = Keep(launches.Of(cache.Sines.index_select(0, Slice(positions))).view(-1, 1, heads.Dimension));
        Order = reordered is { } o ? Keep(Slice(o)) : null;
        Calls =
        [
            .. parts.Select(part => new AttentionCall(part.Group, part.FirstRow, KeepSlice(part.Rows), KeepSlice(part.Slots),
                part.Seen is { } seen ? Keep(Mask(part.Group, Slice(seen), headsPerKey)) : null)),
        ];

        DeviceTensor Slice(Range range) => indices.narrow(0, range.Start.Value, range.End.Value - range.Start.Value);
        DeviceTensor? KeepSlice(Range? range) => range is { } r ? Keep(Slice(r)) : null;
        DeviceTensor Mask(AttentionGroup group, DeviceTensor seen, int perKey)
        {
            var last = seen.view(group.Places.Length, 1, perKey * group.Queries, 1);
            var tokens = cache.Tokens.narrow(0, group.First, group.Tokens);
            var visible = launches.Of(tokens.le(last));
            if (heads.Window > 0) visible = launches.Of(visible.logical_and(launches.Of(tokens.gt(launches.Of(last.sub(heads.Window))))));
            return launches.Of(torch.where(visible, cache.Zero, cache.MinusInfinity));
        }
    }

    public RaggedBatch Batch { get; }
    public int Window { get; }

    /// <summary>Cache slot and position of each row, [rows, 1].</summary>
    public DeviceTensor Slots { get; }
    public DeviceTensor Positions { get; }

    /// <summary>Rotations of each row, [rows, 1, dimension] float32.</summary>
    public DeviceTensor Cosines { get; }
    public DeviceTensor Sines { get; }

    public AttentionCall[] Calls { get; }

    /// <summary>Where each row of the pass lies in the calls' results one after the other; null where it lies in its place.</summary>
    public DeviceTensor? Order { get; }

    public void Dispose()
    {
        foreach (var tensor in _tensors) tensor.Dispose();
        _tensors.Clear();
    }

    private DeviceTensor Keep(DeviceTensor tensor)
    {
        _tensors.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private static bool Consecutive(long[] values)
    {
        for (var i = 1; i < values.Length; i++)
            if (values[i] != values[0] + i) return false;
        return true;
    }

    /// <summary>Indices gathered on the host, and where each part of them stands.</summary>
    private sealed class IndexPlan
    {
        private readonly List<long> _values = [];

        public ReadOnlySpan<long> Values => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_values);

        public Range Add(IEnumerable<long> part)
        {
            var start = _values.Count;
            _values.AddRange(part);
            return start.._values.Count;
        }
    }
}
