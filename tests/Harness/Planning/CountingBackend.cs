using Harness.Tensors;

namespace Harness.Tests.Planning;

/// <summary>
/// A backend that computes nothing and keeps the books: which elements live at the same time, which bytes of weights and
/// cache are read, how many operations are asked for. Models of any size pass through it in no time.
/// </summary>
internal sealed class CountingBackend : ITensorBackend
{
    private sealed class Activations : Tensor
    {
        public Activations(int rows, int columns) => (Rows, Columns) = (rows, columns);
    }

    private sealed class Matrix : Weight;

    private sealed class Cache(long layerBytesPerToken, long bytes) : KvCache
    {
        public long LayerBytesPerToken => layerBytesPerToken;
        public override long Bytes => bytes;
        public override void Dispose() { }
    }

    private sealed class Closing(Action close) : IDisposable
    {
        public void Dispose() => close();
    }

    private readonly Stack<long> _scopes = new([0]);
    private long _alive;

    /// <summary>Elements of all tensors alive at the worst moment.</summary>
    public long PeakElements { get; private set; }
    public double BytesRead { get; private set; }
    public double Flops { get; private set; }

    /// <summary>Element type of the caches that it makes.</summary>
    public DType CacheType { get; init; } = DType.BF16;

    public string Name => "counting";
    public string Device => "paper";
    public long? MemoryBytes => null;

    public IDisposable Scope()
    {
        _scopes.Push(0);
        return new Closing(() => _alive -= _scopes.Pop());
    }

    public void Synchronize() { }

    public Weight LoadWeight(IReadOnlyList<WeightSlice> parts, DType storage) =>
        new Matrix { DType = storage, Outputs = parts.Sum(part => part.Rows), Inputs = parts[0].Columns };

    public KvCache NewKvCache(int layers, int slots, int capacity, AttentionHeads heads)
    {
        var perToken = 2L * heads.KeyValues * heads.Dimension * CacheType.Bytes();
        return new Cache(perToken, perToken * layers * slots * capacity) { Layers = layers, Slots = slots, Capacity = capacity };
    }

    public Tensor NewTensor(int rows, int columns)
    {
        var elements = (long)rows * columns;
        _scopes.Push(_scopes.Pop() + elements);
        _alive += elements;
        PeakElements = Math.Max(PeakElements, _alive);
        return new Activations(rows, columns);
    }

    public Tensor Embed(Weight table, int firstToken, ReadOnlySpan<int> tokens)
    {
        BytesRead += tokens.Length * table.DType.RowBytes(table.Inputs);
        return NewTensor(tokens.Length, table.Inputs);
    }

    public Tensor RmsNorm(Tensor x, Weight gain, float epsilon)
    {
        BytesRead += gain.ResidentBytes;
        return NewTensor(x.Rows, x.Columns);
    }

    public Tensor Linear(Tensor x, Weight weight, Weight? bias = null)
    {
        Assert.That(x.Columns, Is.EqualTo(weight.Inputs));
        BytesRead += weight.ResidentBytes + (bias?.ResidentBytes ?? 0);
        Flops += 2.0 * x.Rows * weight.Inputs * weight.Outputs;
        return NewTensor(x.Rows, weight.Outputs);
    }

    public void NormHeads(Tensor qkv, Weight queryGain, Weight keyGain, AttentionHeads heads, float epsilon) =>
        BytesRead += queryGain.ResidentBytes + keyGain.ResidentBytes;

    public Tensor Attend(Tensor qkv, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads)
    {
        for (var i = 0; i < batch.Sequences; i++)
        {
            var end = batch.Starts[i] + batch.Counts[i];
            BytesRead += (double)end * ((Cache)cache).LayerBytesPerToken;
            for (var position = batch.Starts[i]; position < end; position++)
                Flops += 2.0 * 2 * (position + 1) * heads.Queries * heads.Dimension;       // scores, and their sum of values
        }
        return NewTensor(qkv.Rows, heads.Queries * heads.Dimension);
    }

    public Tensor SwiGlu(Tensor gateUp) => NewTensor(gateUp.Rows, gateUp.Columns / 2);
    public void Add(Tensor x, Tensor y) => Assert.That((x.Rows, x.Columns), Is.EqualTo((y.Rows, y.Columns)));
    public Tensor SelectRows(Tensor x, ReadOnlySpan<int> rows) => NewTensor(rows.Length, x.Columns);
    public void ArgMax(Tensor logits, Span<float> values, Span<int> columns) => columns.Clear();
    public int[] Sample(Tensor logits, SamplingParameters sampling, ReadOnlySpan<double> uniforms,
        IReadOnlyList<IReadOnlyList<int>> history) => new int[logits.Rows];
    public void ReadHost(Tensor x, Span<float> destination) => destination.Clear();
    public void WriteHost(Tensor x, ReadOnlySpan<float> source) { }
    public void Dispose() { }
}
