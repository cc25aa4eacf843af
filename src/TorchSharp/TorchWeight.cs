using Harness.Tensors;
using DeviceTensor = TorchSharp.torch.Tensor;

namespace Harness.TorchSharp;

internal sealed class TorchWeight : Weight, IDisposable
{
    /// <summary>[Outputs, Inputs].</summary>
    public required DeviceTensor Value { get; init; }

    /// <summary>A view of the same memory, [Inputs, Outputs].</summary>
    public required DeviceTensor Transposed { get; init; }

    /// <summary>What a norm multiplies by, in the form that <see cref="RootMeanSquareNorm"/> wants; made when it is first needed.</summary>
    public DeviceTensor? Gain { get; set; }

    /// <summary>What is added to every row, [outputs] in the activations' type; made when it is first needed.</summary>
    public DeviceTensor? Row { get; set; }

    public void Dispose()
    {
        Gain?.Dispose();
        Row?.Dispose();
        Transposed.Dispose();
        Value.Dispose();
    }
}
