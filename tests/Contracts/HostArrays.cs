using Harness.Tensors;

namespace Harness.Tests.Contracts;

/// <summary>Tensors that are arrays, without arithmetic: what a link needs of a backend.</summary>
internal sealed class HostArrays : ITensorBackend
{
    private sealed class Array2D : Tensor
    {
        public Array2D(int rows, int columns) => (Rows, Columns, Values) = (rows, columns, new float[rows * columns]);
        public float[] Values { get; }
    }

    public string Name => "arrays";
    public string Device => "arrays";
    public long? MemoryBytes => null;
    public DType CacheType => DType.F32;

    public Tensor NewTensor(int rows, int columns) => new Array2D(rows, columns);
    public void ReadHost(Tensor x, Span<float> destination) => ((Array2D)x).Values.CopyTo(destination);
    public void WriteHost(Tensor x, ReadOnlySpan<float> source) => source.CopyTo(((Array2D)x).Values);

    public Tensor From(int rows, int columns, Func<int, int, float> value)
    {
        var x = new Array2D(rows, columns);
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++) x.Values[r * columns + c] = value(r, c);
        return x;
    }

    public float[] Values(Tensor x) => ((Array2D)x).Values;

    public IDisposable Scope() => throw new NotSupportedException();
    public void Synchronize() { }
    public Weight LoadWeight(IReadOnlyList<WeightSlice> parts, DType storage) => throw new NotSupportedException();
    public KvCache NewKvCache(int layers, int slots, int capacity, AttentionHeads heads) => throw new NotSupportedException();
    public Tensor Embed(Weight table, int firstToken, ReadOnlySpan<int> tokens) => throw new NotSupportedException();
    public Tensor RmsNorm(Tensor x, Weight gain, float epsilon) => throw new NotSupportedException();
    public Tensor Linear(Tensor x, Weight weight, Weight? bias = null) => throw new NotSupportedException();
    public void NormHeads(Tensor qkv, Weight queryGain, Weight keyGain, AttentionHeads heads, float epsilon) =>
        throw new NotSupportedException();
    public Tensor Attend(Tensor qkv, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads) =>
        throw new NotSupportedException();
    public Tensor SwiGlu(Tensor gateUp) => throw new NotSupportedException();
    public void Add(Tensor x, Tensor y) => throw new NotSupportedException();
    public Tensor SelectRows(Tensor x, ReadOnlySpan<int> rows) => throw new NotSupportedException();
    public void ArgMax(Tensor logits, Span<float> values, Span<int> columns) => throw new NotSupportedException();
    public int[] Sample(Tensor logits, SamplingParameters sampling, ReadOnlySpan<double> uniforms,
        IReadOnlyList<IReadOnlyList<int>> history) => throw new NotSupportedException();
    public void Dispose() { }
}
