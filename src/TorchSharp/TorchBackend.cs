using System.Globalization;
using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Tensors;
using Harness.TorchSharp.Loading;
using TorchSharp;
using static TorchSharp.torch.nn;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>
/// libtorch on a CUDA device, or on the host where there is none. Operations are queued; only choosing tokens and copies
/// to the host wait for the device. Activations and caches are in the type that was asked for.
/// </summary>
internal sealed class TorchBackend : ITensorBackend
{
    public const string Word = "torch";

    [ThreadStatic]
    private static bool s_gradOff;

    private readonly torch.Device _device;
    private readonly ScalarType _activations;
    private readonly Launches _launches = new();
    private readonly HostTransfer _host;
    private readonly DeviceMemory _memory;
    private readonly WeightUpload _upload;
    private readonly RootMeanSquareNorm _norm;
    private readonly Attention _attention;
    private readonly TokenChoice _choice;
    private readonly List<TorchWeight> _weights = [];

    /// <param name="library">What it computes with.</param>
    /// <param name="options">Of this rank.</param>
    /// <exception cref="UserErrorException">The number of threads is negative, or the cache is to have another type than activations.
    /// </exception>
    public TorchBackend(LibTorch library, BackendOptions options)
    {
        if (options.Threads < 0)
            throw new UserErrorException($"threads {options.Threads} is negative; use 0 for all cores or the number wanted");
        NoGrad();
        var devices = library.Devices;
        var threads = options.Threads > 0 ? options.Threads : Math.Max(1, Environment.ProcessorCount / Math.Max(1, options.LocalRanks));
        string name;
        if (devices > 0)
        {
            Ordinal = options.LocalRank % devices;
            RanksShareDevices = options.LocalRanks > devices;
            _device = new torch.Device(DeviceType.CUDA, Ordinal);
            name = $"{CudaDriver.Name(Ordinal)} (cuda:{Ordinal})";
            MemoryBytes = CudaDriver.MemoryBytes(Ordinal) / ((options.LocalRanks + devices - 1) / devices);
        }
        else
        {
            Ordinal = -1;
            _device = torch.CPU;
            torch.set_num_threads(threads);
            MemoryBytes = HostMemory.Bytes / Math.Max(1, options.LocalRanks);
            name = $"CPU, {threads} {(threads == 1 ? "thread" : "threads")}";
        }
        // libtorch's CPU build long had no float16 matrix product; the weights stay as asked for.
        var activations = options.Activations == DType.F16 && !Computes(ScalarType.Float16) ? DType.F32 : options.Activations;
        _activations = activations.Torch();
        CacheType = options.Cache is not { } cache || cache == activations ? activations
            : throw new UserErrorException($"--backend torch keeps keys and values in the type of its activations, {activations.Label()} here, "
                + $"not in {cache.Label()}; leave --kv-dtype out, or use --backend cpu");
        Device = $"{name}, {activations.Label()} activations, {library.Name}";
        (_host, _memory, _upload) = (new(_device), new(name), new(_device));
        (_norm, _attention, _choice) = (new(_device, _activations, _launches), new(_launches), new(_host, _launches));
    }

    public string Name => Word;

    public string Device { get; }

    public long? MemoryBytes { get; }

    public DType CacheType { get; }

    /// <summary>CUDA ordinal of the device; -1 for the host.</summary>
    internal int Ordinal { get; }

    /// <summary>Whether this node has more ranks than devices.</summary>
    internal bool RanksShareDevices { get; }

    /// <summary>Operations issued since the backend was made: at most this many kernels.</summary>
    public long OperationsIssued => _launches.Count;

    public IDisposable Scope()
    {
        NoGrad();
        return torch.NewDisposeScope();
    }

    public void Synchronize()
    {
        if (Ordinal >= 0) torch.cuda.synchronize(_device);
    }

    public Weight LoadWeight(IReadOnlyList<WeightSlice> parts, DType storage)
    {
        NoGrad();
        var outputs = parts.Sum(part => part.Rows);
        var bytes = (long)outputs * parts[0].Columns * storage.Bytes();
        var value = _memory.Allocate(string.Create(CultureInfo.InvariantCulture,
            $"weight {parts[0].Name} [{outputs}, {parts[0].Columns}]"), bytes, () => _upload.Load(parts, storage));
        var weight = new TorchWeight
        {
            DType = storage,
            Outputs = outputs,
            Inputs = parts[0].Columns,
            Value = value,
            Transposed = value.t().DetachFromDisposeScope()
        };
        _memory.Weights += bytes;
        _weights.Add(weight);
        return weight;
    }

    public KvCache NewKvCache(int layers, int slots, int capacity, AttentionHeads heads)
    {
        NoGrad();
        var bytes = (long)layers * slots * capacity * heads.KeyValues * heads.Dimension * 2 * _activations.ElementSize();
        var cache = _memory.Allocate(
            string.Create(CultureInfo.InvariantCulture, $"key/value cache ({slots} sequences of {capacity} tokens)"), bytes,
            () => new TorchKvCache(_device, _activations, layers, slots, capacity, heads, _host)
            {
                Layers = layers,
                Slots = slots,
                Capacity = capacity
            });
        _memory.Caches += cache.Bytes;
        cache.Disposed += () => _memory.Caches -= cache.Bytes;
        return cache;
    }

    public Tensor NewTensor(int rows, int columns)
    {
        NoGrad();
        return new TorchTensor(torch.empty(rows, columns, dtype: _activations, device: _device), rows, columns);
    }

    public Tensor Embed(Weight table, int firstToken, ReadOnlySpan<int> tokens)
    {
        var weight = (TorchWeight)table;
        using var scope = torch.NewDisposeScope();
        var (index, known, elsewhere) = (new long[tokens.Length], new float[tokens.Length], false);
        for (var i = 0; i < tokens.Length; i++)
        {
            var row = (long)tokens[i] - firstToken;
            var here = row >= 0 && row < weight.Outputs;
            (index[i], known[i]) = here ? (row, 1) : (0, 0);
            elsewhere |= !here;
        }
        var y = _launches.Of(weight.Value.index_select(0, _host.Upload<long>(index, ScalarType.Int64)));
        if (y.dtype != _activations) y = _launches.Of(y.to(_activations));
        if (elsewhere) _launches.Of(y.mul_(_host.Upload<float>(known, ScalarType.Float32).view(-1, 1)));
        return new TorchTensor(y.MoveToOuterDisposeScope(), tokens.Length, weight.Inputs);
    }

    public Tensor RmsNorm(Tensor x, Weight gain, float epsilon)
    {
        if (gain.Outputs != 1 || gain.Inputs != x.Columns)
            throw new ArgumentException($"a gain of [{gain.Outputs}, {gain.Inputs}] does not fit {x.Columns} columns");
        return Activations(x.Rows, x.Columns, () => _norm.Apply(((TorchTensor)x).Value, (TorchWeight)gain, epsilon));
    }

    public Tensor Linear(Tensor x, Weight weight, Weight? bias = null)
    {
        var (w, b) = ((TorchWeight)weight, (TorchWeight?)bias);
        if (x.Columns != w.Inputs) throw new ArgumentException($"{x.Columns} columns do not fit a weight of {w.Inputs} inputs");
        if (b != null && (b.Outputs != w.Outputs || b.Inputs != 1))
            throw new ArgumentException($"a bias of [{b.Outputs}, {b.Inputs}] does not fit {w.Outputs} outputs");
        return Activations(x.Rows, w.Outputs, () =>
        {
            var (value, matrix) = (((TorchTensor)x).Value, w.Transposed);
            if (w.Value.dtype != _activations) matrix = _launches.Of(matrix.to(_activations));
            return _launches.Of(b == null ? value.mm(matrix) : RowOf(b).addmm(value, matrix, 1, 1));
        });
    }

    private DeviceTensor RowOf(TorchWeight bias)
    {
        if (bias.Row is { } row) return row;
        using var scope = torch.NewDisposeScope();
        return bias.Row = bias.Value.view(bias.Outputs).to(_activations, copy: true).DetachFromDisposeScope();
    }

    public void NormHeads(Tensor qkv, Weight queryGain, Weight keyGain, AttentionHeads heads, float epsilon)
    {
        if (qkv.Columns != (heads.Queries + 2 * heads.KeyValues) * heads.Dimension)
            throw new ArgumentException($"{qkv.Columns} columns are not the queries, keys and values of {heads}");
        foreach (var gain in (Weight[])[queryGain, keyGain])
            if (gain.Outputs != 1 || gain.Inputs != heads.Dimension)
                throw new ArgumentException($"a gain of [{gain.Outputs}, {gain.Inputs}] does not fit heads of {heads.Dimension} features");
        NoGrad();
        using var scope = torch.NewDisposeScope();
        var value = ((TorchTensor)qkv).Value;
        Norm(0, heads.Queries, (TorchWeight)queryGain);
        Norm(heads.Queries, heads.KeyValues, (TorchWeight)keyGain);

        void Norm(int first, int count, TorchWeight gain)
        {
            var part = value.narrow(1, (long)first * heads.Dimension, (long)count * heads.Dimension);
            var rows = _launches.Of(part.reshape((long)qkv.Rows * count, heads.Dimension));
            _launches.Of(part.copy_(_norm.Apply(rows, gain, epsilon).reshape(qkv.Rows, (long)count * heads.Dimension)));
        }
    }

    public Tensor Attend(Tensor qkv, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads)
    {
        var store = (TorchKvCache)cache;
        if (qkv.Columns != (heads.Queries + 2 * heads.KeyValues) * heads.Dimension || qkv.Rows != batch.Rows)
            throw new ArgumentException(
                $"[{qkv.Rows}, {qkv.Columns}] is not the queries, keys and values of {heads} for {batch.Rows} rows");
        for (var i = 0; i < batch.Sequences; i++)
            if ((uint)batch.Slots[i] >= (uint)cache.Slots || batch.Starts[i] < 0 || batch.Starts[i] + batch.Counts[i] > cache.Capacity)
                throw new ArgumentException($"slot {batch.Slots[i]}, positions {batch.Starts[i]} to "
                    + $"{batch.Starts[i] + batch.Counts[i] - 1}: the cache has {cache.Slots} slots of {cache.Capacity}");
        return Activations(qkv.Rows, heads.Queries * heads.Dimension, () =>
            _attention.Attend(((TorchTensor)qkv).Value, store, layer, store.PassOf(batch, heads, _host, _launches), heads));
    }

    public Tensor SwiGlu(Tensor gateUp)
    {
        if (gateUp.Columns % 2 != 0) throw new ArgumentException($"{gateUp.Columns} columns are no gate and up of equal width");
        var width = gateUp.Columns / 2;
        return Activations(gateUp.Rows, width, () =>
        {
            var x = ((TorchTensor)gateUp).Value;
            return _launches.Of(_launches.Of(functional.silu(x.narrow(1, 0, width))).mul_(x.narrow(1, width, width)));
        });
    }

    public void Add(Tensor x, Tensor y)
    {
        if (x.Rows != y.Rows || x.Columns != y.Columns)
            throw new ArgumentException($"[{x.Rows}, {x.Columns}] and [{y.Rows}, {y.Columns}] cannot be added");
        _launches.Of(((TorchTensor)x).Value.add_(((TorchTensor)y).Value));
    }

    public Tensor SelectRows(Tensor x, ReadOnlySpan<int> rows)
    {
        using var scope = torch.NewDisposeScope();
        var index = new long[rows.Length];
        var consecutive = rows.Length > 0;
        for (var i = 0; i < rows.Length; i++)
        {
            if ((uint)rows[i] >= (uint)x.Rows) throw new ArgumentException($"row {rows[i]} is not one of {x.Rows}");
            index[i] = rows[i];
            consecutive &= rows[i] == rows[0] + i;
        }
        var value = ((TorchTensor)x).Value;
        var y = _launches.Of(consecutive ? value.narrow(0, rows[0], rows.Length).clone()
            : value.index_select(0, _host.Upload<long>(index, ScalarType.Int64)));
        return new TorchTensor(y.MoveToOuterDisposeScope(), rows.Length, x.Columns);
    }

    public void ArgMax(Tensor logits, Span<float> values, Span<int> columns) =>
        _choice.ArgMax(((TorchTensor)logits).Value, values, columns);

    public int[] Sample(Tensor logits, SamplingParameters sampling, ReadOnlySpan<double> uniforms,
        IReadOnlyList<IReadOnlyList<int>> history) =>
        _choice.Draw(((TorchTensor)logits).Value, sampling, uniforms, history);

    public void ReadHost(Tensor x, Span<float> destination)
    {
        using var scope = torch.NewDisposeScope();
        HostTransfer.Download(((TorchTensor)x).Value.to(ScalarType.Float32), destination[..checked(x.Rows * x.Columns)]);
    }

    public void WriteHost(Tensor x, ReadOnlySpan<float> source)
    {
        if (source.Length != (long)x.Rows * x.Columns)
            throw new ArgumentException($"{source.Length} values do not fill [{x.Rows}, {x.Columns}]");
        using var scope = torch.NewDisposeScope();
        ((TorchTensor)x).Value.copy_(_host.Upload(source, ScalarType.Float32).view(x.Rows, x.Columns));
    }

    public void Dispose()
    {
        foreach (var weight in _weights) weight.Dispose();
        _weights.Clear();
        _upload.Dispose();
        _norm.Dispose();
    }

    /// <summary>Runs an operation whose result belongs to the caller's scope; what it makes on the way dies here.</summary>
    private TorchTensor Activations(int rows, int columns, Func<DeviceTensor> operation)
    {
        NoGrad();
        using var scope = torch.NewDisposeScope();
        var value = _memory.Allocate("activations", (long)rows * columns * _activations.ElementSize(), operation);
        return new TorchTensor(value.MoveToOuterDisposeScope(), rows, columns);
    }

    /// <summary>Grad mode belongs to a thread, and a new thread records gradients.</summary>
    private static void NoGrad()
    {
        if (s_gradOff) return;
        torch.set_grad_enabled(false);
        s_gradOff = true;
    }

    private bool Computes(ScalarType type)
    {
        if (_device.type == DeviceType.CUDA) return true;
        try
        {
            using var scope = torch.NewDisposeScope();
            var x = torch.ones(8, 8, dtype: type, device: _device);
            functional.softmax(functional.silu(functional.layer_norm(x.mm(x), [8])), 1);
            return true;
        }
        catch (ExternalException)
        {
            return false;
        }
    }
}
