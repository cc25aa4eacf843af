using TorchSharp;
using static TorchSharp.torch.nn;
using DeviceTensor = TorchSharp.torch.Tensor;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

/// <summary>
/// x / sqrt(mean(x²) + epsilon) · gain (Zhang and Sennrich 2019), for which TorchSharp has no operation. In float32 it is
/// composed. In 16 bits the composition would round at every step and launch seven kernels, so it is read off the
/// fused layer norm, which works in float32 inside: the row (x, -x) has mean 0 and variance mean(x²), hence the first
/// half of its layer norm with gain (g, 0) is the norm of x. Two kernels, one rounding.
/// </summary>
internal sealed class RootMeanSquareNorm(torch.Device device, ScalarType activations, Launches launches) : IDisposable
{
    private readonly DeviceTensor _signs = torch.tensor(new float[] { 1, -1 }, dtype: activations, device: device).view(1, 2, 1)
        .DetachFromDisposeScope();
    private long[] _width = [0];

    /// <summary>[rows, columns] to [rows, columns].</summary>
    public DeviceTensor Apply(DeviceTensor x, TorchWeight gain, float epsilon)
    {
        gain.Gain ??= Form(gain);
        if (activations == ScalarType.Float32)
        {
            var scale = launches.Of(launches.Of(x.square()).mean([1], keepdim: true));
            launches.Of(launches.Of(scale.add_(epsilon)).rsqrt_());
            return launches.Of(launches.Of(x.mul(scale)).mul_(gain.Gain));
        }
        long rows = x.shape[0], columns = gain.Inputs;
        if (_width[0] != 2 * columns) _width = [2 * columns];
        var mirrored = launches.Of(x.view(rows, 1, columns).mul(_signs)).view(rows, 2 * columns);
        return launches.Of(functional.layer_norm(mirrored, _width, gain.Gain, null, epsilon)).narrow(1, 0, columns);
    }

    public void Dispose() => _signs.Dispose();

    /// <summary>[columns] in float32, (g, 0) of twice that width in 16 bits.</summary>
    private DeviceTensor Form(TorchWeight gain)
    {
        using var scope = torch.NewDisposeScope();
        var g = gain.Value.view(gain.Inputs).to(activations);
        if (activations != ScalarType.Float32) g = torch.cat([g, torch.zeros_like(g)]);
        return g.DetachFromDisposeScope();
    }
}
