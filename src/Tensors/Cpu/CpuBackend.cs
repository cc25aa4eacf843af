using System.Runtime.CompilerServices;
using Harness.Common;

namespace Harness.Tensors.Cpu;

/// <summary>
/// Managed SIMD on the host's cores: weights in their own element type, float32 activations in an arena, a persistent
/// team of threads. A tensor made outside every scope lives as long as the backend.
/// </summary>
public sealed unsafe class CpuBackend : ITensorBackend
{
    public const string Word = "cpu";
    private const double SpinMicroseconds = 20;

    private readonly WorkerTeam _team;
    private readonly CpuKernels _kernels;
    private readonly int _lanes;
    private readonly int[] _affinity = [];
    private readonly Arena _arena = new();
    private readonly List<CpuTensor> _tensors = [];
    private readonly List<ArenaScope> _scopes = [];
    private readonly Arena _weights = new();
    private int _tensorsInUse;
    private int _depth;

    /// <exception cref="UserErrorException">The number of threads is negative.</exception>
    public CpuBackend(BackendOptions options) : this(options, VectorWidths.Widest)
    {
    }

    internal CpuBackend(BackendOptions options, VectorWidth width)
    {
        if (options.Threads < 0)
            throw new UserErrorException($"threads {options.Threads} is negative; use 0 for all cores or the number wanted");
        var (allowed, ranks) = (HostCpu.AllowedCores, Math.Max(1, options.LocalRanks));
        var threads = options.Threads > 0 ? options.Threads : Math.Max(1, allowed / ranks);
        if (ranks > 1 && threads * ranks <= allowed)
        {
            _affinity = HostCpu.AffinityMask();
            if (_affinity.Length >= threads * ranks)
                HostCpu.PinCurrentThread(_affinity.AsSpan(options.LocalRank % ranks * threads, threads));
        }
        _team = new WorkerTeam(threads, threads * ranks > allowed ? 0 : SpinMicroseconds);
        _kernels = CpuKernels.Create(width);
        _lanes = (int)width / (8 * sizeof(float));
        CacheType = options.Cache ?? DType.F32;
        MemoryBytes = HostMemory.Bytes / Math.Max(1, ranks);
        Device = $"{HostCpu.Model}, {threads} {(threads == 1 ? "thread" : "threads")}, {width.Label()}";
    }

    /// <summary>For measurements beside the kernels, on the same threads.</summary>
    internal WorkerTeam Team => _team;

    public string Name => Word;

    public string Device { get; }

    public long? MemoryBytes { get; }

    public DType CacheType { get; }

    public IDisposable Scope()
    {
        if (_depth == _scopes.Count) _scopes.Add(new ArenaScope(this, _depth));
        var scope = _scopes[_depth++];
        (scope.Mark, scope.Tensors) = (_arena.Current, _tensorsInUse);
        return scope;
    }

    private sealed class ArenaScope(CpuBackend owner, int depth) : IDisposable
    {
        public Arena.Mark Mark;
        public int Tensors;

        public void Dispose()
        {
            if (owner._depth <= depth) return;
            owner._depth = depth;
            owner._arena.Release(Mark);
            while (owner._tensorsInUse > Tensors) owner._tensors[--owner._tensorsInUse].Clear();
        }
    }

    public void Synchronize()
    {
    }

    public Weight LoadWeight(IReadOnlyList<WeightSlice> parts, DType storage) => storage == DType.Int8
        ? Int8Loader.Load(parts, _team, _weights)
        : WeightLoader.Load(parts, storage, _team, _weights);

    public KvCache NewKvCache(int layers, int slots, int capacity, AttentionHeads heads) =>
        new CpuKvCache(layers, slots, capacity, heads, CacheType, _lanes) { Layers = layers, Slots = slots, Capacity = capacity };

    public Tensor NewTensor(int rows, int columns) => New(rows, columns);

    private CpuTensor New(int rows, int columns)
    {
        if (_tensorsInUse == _tensors.Count) _tensors.Add(new CpuTensor());
        var tensor = _tensors[_tensorsInUse++];
        tensor.Set(rows, columns, (float*)_arena.Take((long)rows * columns * sizeof(float)));
        return tensor;
    }

    public Tensor Embed(Weight table, int firstToken, ReadOnlySpan<int> tokens)
    {
        var y = New(tokens.Length, table.Inputs);
        for (var i = 0; i < tokens.Length; i++)
        {
            var row = y.Data + (long)i * table.Inputs;
            var index = (long)tokens[i] - firstToken;
            if (index < 0 || index >= table.Outputs) new Span<float>(row, table.Inputs).Clear();
            else if (table is Int8Weight int8) int8.CopyRow((int)index, row);
            else ElementConversion.ToSingle(((CpuWeight)table).Row((int)index), table.DType, row, table.Inputs);
        }
        return y;
    }

    public Tensor RmsNorm(Tensor x, Weight gain, float epsilon)
    {
        var source = (CpuTensor)x;
        var weight = (CpuWeight)gain;
        Require(weight.Outputs == 1 && weight.Inputs == x.Columns, $"a gain of [{weight.Outputs}, {weight.Inputs}] does not fit "
            + $"{x.Columns} columns");
        var y = New(x.Rows, x.Columns);
        _kernels.RmsNorm(_team, source.Data, weight.Vector, y.Data, x.Rows, x.Columns, epsilon);
        GC.KeepAlive(weight);
        return y;
    }

    public Tensor Linear(Tensor x, Weight weight, Weight? bias = null)
    {
        Require(x.Columns == weight.Inputs, $"{x.Columns} columns do not fit a weight of {weight.Inputs} inputs");
        var y = New(x.Rows, weight.Outputs);
        if (weight is Int8Weight int8) _kernels.Multiply(_team, _arena, ((CpuTensor)x).Data, x.Rows, int8, y.Data);
        else _kernels.Multiply(_team, _arena, ((CpuTensor)x).Data, x.Rows, (CpuWeight)weight, y.Data);
        if (bias == null) return y;
        Require(bias.Outputs == weight.Outputs && bias.Inputs == 1, $"a bias of [{bias.Outputs}, {bias.Inputs}] does not fit "
            + $"{weight.Outputs} outputs");
        _kernels.AddToRows(_team, y.Data, ((CpuWeight)bias).Vector, y.Rows, y.Columns);
        GC.KeepAlive(bias);
        return y;
    }

    public void NormHeads(Tensor qkv, Weight queryGain, Weight keyGain, AttentionHeads heads, float epsilon)
    {
        Require(qkv.Columns == (heads.Queries + 2 * heads.KeyValues) * heads.Dimension,
            $"{qkv.Columns} columns are not the queries, keys and values of {heads}");
        foreach (var gain in (Weight[])[queryGain, keyGain])
            Require(gain.Outputs == 1 && gain.Inputs == heads.Dimension, $"a gain of [{gain.Outputs}, {gain.Inputs}] does not fit heads of "
                + $"{heads.Dimension} features");
        _kernels.NormHeads(_team, ((CpuTensor)qkv).Data, ((CpuWeight)queryGain).Vector, ((CpuWeight)keyGain).Vector, qkv.Rows, heads,
            epsilon);
        GC.KeepAlive(queryGain);
        GC.KeepAlive(keyGain);
    }

    public Tensor Attend(Tensor qkv, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads)
    {
        var store = (CpuKvCache)cache;
        Require(qkv.Columns == (heads.Queries + 2 * heads.KeyValues) * heads.Dimension,
            $"{qkv.Columns} columns are not the queries, keys and values of {heads}");
        Require(qkv.Rows == batch.Rows, $"{qkv.Rows} rows are not the {batch.Rows} of the batch");
        Require(heads.KeyValues == store.Heads.KeyValues
            && heads.Dimension == store.Heads.Dimension, $"the cache was made for {store.Heads}, not {heads}");
        Require(heads.Queries % heads.KeyValues == 0, $"{heads.Queries} query heads are no multiple of {heads.KeyValues} key/value heads");
        var end = 0;
        for (var i = 0; i < batch.Sequences; i++)
        {
            Require((uint)batch.Slots[i] < (uint)cache.Slots, $"slot {batch.Slots[i]} is not one of the cache's {cache.Slots}");
            Require(batch.Starts[i] >= 0 && batch.Starts[i] + batch.Counts[i] <= cache.Capacity,
                $"positions {batch.Starts[i]} to {batch.Starts[i] + batch.Counts[i] - 1} exceed the cache's {cache.Capacity}");
            end = Math.Max(end, batch.Starts[i] + batch.Counts[i]);
        }
        store.Rope.Ensure(heads.Frequencies, end, cache.Capacity);
        var y = New(qkv.Rows, heads.Queries * heads.Dimension);
        _kernels.Attend(_team, _arena, ((CpuTensor)qkv).Data, y.Data, store, layer, batch, heads);
        return y;
    }

    public Tensor SwiGlu(Tensor gateUp)
    {
        Require(gateUp.Columns % 2 == 0, $"{gateUp.Columns} columns are no gate and up of equal width");
        var y = New(gateUp.Rows, gateUp.Columns / 2);
        _kernels.SwiGlu(_team, ((CpuTensor)gateUp).Data, y.Data, y.Rows, y.Columns);
        return y;
    }

    public void Add(Tensor x, Tensor y)
    {
        Require(x.Rows == y.Rows && x.Columns == y.Columns, $"[{x.Rows}, {x.Columns}] and [{y.Rows}, {y.Columns}] cannot be added");
        _kernels.Add(_team, ((CpuTensor)x).Data, ((CpuTensor)y).Data, x.Rows, x.Columns);
    }

    public Tensor SelectRows(Tensor x, ReadOnlySpan<int> rows)
    {
        var source = (CpuTensor)x;
        var y = New(rows.Length, x.Columns);
        for (var i = 0; i < rows.Length; i++)
        {
            Require((uint)rows[i] < (uint)x.Rows, $"row {rows[i]} is not one of {x.Rows}");
            new Span<float>(source.Data + (long)rows[i] * x.Columns, x.Columns)
                .CopyTo(new Span<float>(y.Data + (long)i * x.Columns, x.Columns));
        }
        return y;
    }

    public void ArgMax(Tensor logits, Span<float> values, Span<int> columns)
    {
        var source = (CpuTensor)logits;
        for (var r = 0; r < logits.Rows; r++)
        {
            var row = source.Data + (long)r * logits.Columns;
            columns[r] = _kernels.ArgMax(row, logits.Columns, r);
            values[r] = row[columns[r]];
        }
    }

    public int[] Sample(Tensor logits, SamplingParameters sampling, ReadOnlySpan<double> uniforms,
        IReadOnlyList<IReadOnlyList<int>> history)
    {
        Require(uniforms.Length == logits.Rows && history.Count == logits.Rows,
            $"{uniforms.Length} numbers and {history.Count} histories are not one for each of {logits.Rows} rows");
        var (data, columns) = ((nint)((CpuTensor)logits).Data, logits.Columns);
        var (tokens, draws) = (new int[logits.Rows], uniforms.ToArray());
        var scratchBytes = _kernels.SamplingScratchBytes(columns);
        var mark = _arena.Current;
        var scratch = (nint)_arena.Take(scratchBytes * _team.Threads);
        _team.Run(worker =>
        {
            var (first, last) = WorkerTeam.Share(tokens.Length, 1, worker, _team.Threads);
            for (var r = first; r < last; r++)
                tokens[r] = _kernels.Draw((float*)data + (long)r * columns, columns, r, sampling, draws[r], history[r],
                    (byte*)scratch + worker * scratchBytes);
        });
        _arena.Release(mark);
        return tokens;
    }

    public void ReadHost(Tensor x, Span<float> destination) =>
        new ReadOnlySpan<float>(((CpuTensor)x).Data, checked((int)((CpuTensor)x).Length)).CopyTo(destination);

    public void WriteHost(Tensor x, ReadOnlySpan<float> source)
    {
        Require(source.Length == ((CpuTensor)x).Length, $"{source.Length} values do not fill [{x.Rows}, {x.Columns}]");
        source.CopyTo(new Span<float>(((CpuTensor)x).Data, source.Length));
    }

    public void Dispose()
    {
        _team.Dispose();
        _arena.Dispose();
        _weights.Dispose();
        if (_affinity.Length > 0) HostCpu.PinCurrentThread(_affinity);
    }

    private static void Require(bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref RequirementMessage message)
    {
        if (!holds) throw new ArgumentException(message.ToString());
    }

    /// <summary>Formats only where the requirement does not hold.</summary>
    [InterpolatedStringHandler]
    private ref struct RequirementMessage
    {
        private DefaultInterpolatedStringHandler _inner;

        public RequirementMessage(int literalLength, int formattedCount, bool holds, out bool format)
        {
            format = !holds;
            _inner = holds ? default : new DefaultInterpolatedStringHandler(literalLength, formattedCount);
        }

        public void AppendLiteral(string text) => _inner.AppendLiteral(text);

        public void AppendFormatted<T>(T value) => _inner.AppendFormatted(value);

        public override string ToString() => _inner.ToStringAndClear();
    }
}
