using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// Stands in for the tensor group's link in one pass, and looks at what each layer gives: before a sum, where a value is still one
/// rank's, behind it, and behind the layer. Every look copies activations to the host.
/// </summary>
/// <param name="link">The group's own.</param>
/// <param name="rank">This rank's number in the replica.</param>
internal sealed class ActivationProbe(ITensorBackend ops, ITensorLink link, int rank) : ITensorLink
{
    private const int SumsPerLayer = 2;

    private int _layer = -1, _sums;
    private float[] _host = [];

    /// <summary>The first value that was not finite; null while all were.</summary>
    public NonFinitePlace? Found { get; private set; }

    public int Rank => link.Rank;
    public int Size => link.Size;
    public LinkStatistics Statistics => link.Statistics;

    public void AllReduce(Tensor x)
    {
        var part = (PassPart)(_sums++ % SumsPerLayer * SumsPerLayer);
        Look(x, part);
        link.AllReduce(x);
        Look(x, part + 1);
    }

    /// <summary>The residual stream as a layer leaves it, or the embedding; the next look is at the layer behind.</summary>
    /// <param name="layer">Of the model, from 0; -1 for the embedding.</param>
    public void EndLayer(int layer, Tensor x)
    {
        _layer = layer;
        Look(x, PassPart.Residual);
        BeginLayer(layer + 1);
    }

    public void BeginLayer(int layer) => (_layer, _sums) = (layer, 0);

    public void Look(Tensor x, PassPart part)
    {
        if (Found != null) return;
        var count = checked(x.Rows * x.Columns);
        if (_host.Length < count) _host = new float[count];
        ops.ReadHost(x, _host.AsSpan(0, count));
        foreach (var value in _host.AsSpan(0, count))
        {
            if (float.IsFinite(value)) continue;
            Found = new(_layer, part, rank, value);
            return;
        }
    }

    public Tensor AllGatherColumns(Tensor x, ReadOnlySpan<int> columns) => link.AllGatherColumns(x, columns);
    public void Send(Tensor x, int destination) => link.Send(x, destination);
    public Tensor Receive(int rows, int columns, int source) => link.Receive(rows, columns, source);
}
