using Harness.Tensors;
using TorchSharp;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>
/// Keys and values of every layer, [slots, key/value heads, capacity, dimension] each, in the activation type, allocated
/// once. They start as zeros: a masked position still meets its value with weight 0, and 0 · NaN is NaN.
/// </summary>
internal sealed class TorchKvCache : KvCache
{
    /// <summary>Masks have rows of a multiple of this many tokens, or the memory-efficient attention kernel copies them.</summary>
    public const int TokenAlignment = 16;

    private readonly DeviceTensor[] _keys, _values;
    private readonly int _elementSize;
    private AttentionPass? _pass;

    public TorchKvCache(torch.Device device, ScalarType type, int layers, int slots, int capacity, AttentionHeads heads, HostTransfer host)
    {
        using var scope = torch.NewDisposeScope();
        (Heads, _elementSize) = (heads, type.ElementSize());
        PaddedCapacity = (int)(((long)capacity + TokenAlignment - 1) / TokenAlignment * TokenAlignment);
        _keys = new DeviceTensor[layers];
        _values = new DeviceTensor[layers];
        for (var layer = 0; layer < layers; layer++)
        {
            _keys[layer] = torch.zeros(slots, heads.KeyValues, PaddedCapacity, heads.Dimension, dtype: type, device: device);
            _values[layer] = torch.zeros(slots, heads.KeyValues, PaddedCapacity, heads.Dimension, dtype: type, device: device);
        }
        (Cosines, Sines) = Rotations(host);
        Tokens = torch.arange(PaddedCapacity, dtype: ScalarType.Int64, device: device);
        HeadIndex = torch.arange(heads.KeyValues, dtype: ScalarType.Int64, device: device).view(1, heads.KeyValues);
        Zero = torch.zeros(1, dtype: type, device: device);
        MinusInfinity = torch.full(1, float.NegativeInfinity, dtype: type, device: device);
        foreach (var tensor in Tensors) tensor.DetachFromDisposeScope();
    }

    public AttentionHeads Heads { get; }

    /// <summary>Tokens that memory is laid out for: the capacity, rounded up.</summary>
    public int PaddedCapacity { get; }

    /// <summary>cos(position · frequency), [padded capacity, dimension] float32, each frequency twice.</summary>
    public DeviceTensor Cosines { get; }

    /// <summary>sin(position · frequency), likewise, negative in the first half: what rotate-half multiplies.</summary>
    public DeviceTensor Sines { get; }

    /// <summary>0, 1, 2, … [padded capacity].</summary>
    public DeviceTensor Tokens { get; }

    /// <summary>0, 1, … [1, key/value heads].</summary>
    public DeviceTensor HeadIndex { get; }

    /// <summary>What a mask adds to the score of a visible token, and of a hidden one; [1] each.</summary>
    public DeviceTensor Zero { get; }
    public DeviceTensor MinusInfinity { get; }

    public override long Bytes => (long)Layers * Slots * Heads.KeyValues * PaddedCapacity * Heads.Dimension * 2 * _elementSize;

    public DeviceTensor Keys(int layer) => _keys[layer];

    public DeviceTensor Values(int layer) => _values[layer];

    /// <summary>Index tensors and masks of a batch: made for its first layer, used by all, replaced when the next batch comes.</summary>
    public AttentionPass PassOf(RaggedBatch batch, AttentionHeads heads, HostTransfer host, Launches launches)
    {
        if (_pass != null && ReferenceEquals(_pass.Batch, batch) && _pass.Window == heads.Window) return _pass;
        _pass?.Dispose();
        return _pass = new AttentionPass(batch, this, heads, host, launches);
    }

    /// <summary>Raised once, when the memory has been given back.</summary>
    public event Action? Disposed;

    public override void Dispose()
    {
        _pass?.Dispose();
        _pass = null;
        foreach (var tensor in Tensors) tensor.Dispose();
        Disposed?.Invoke();
        Disposed = null;
    }

    private IEnumerable<DeviceTensor> Tensors => [.. _keys, .. _values, Cosines, Sines, Tokens, HeadIndex, Zero, MinusInfinity];

    /// <summary>Computed in float64: an angle of thousands of radians has lost its fraction in float32.</summary>
    private (DeviceTensor Cosines, DeviceTensor Sines) Rotations(HostTransfer host)
    {
        var (d, half) = (Heads.Dimension, Heads.Dimension / 2);
        float[] cosines = new float[PaddedCapacity * d], sines = new float[PaddedCapacity * d];
        for (var position = 0; position < PaddedCapacity; position++)
            for (var f = 0; f < half; f++)
            {
                var (sin, cos) = Math.SinCos((double)position * Heads.Frequencies[f]);
                cosines[position * d + f] = cosines[position * d + half + f] = (float)cos;
                (sines[position * d + f], sines[position * d + half + f]) = ((float)-sin, (float)sin);
            }
        return (host.Upload<float>(cosines, ScalarType.Float32).view(PaddedCapacity, d),
            host.Upload<float>(sines, ScalarType.Float32).view(PaddedCapacity, d));
    }
}
