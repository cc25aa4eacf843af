using Harness.Tensors;
using DeviceTensor = TorchSharp.torch.Tensor;

namespace Harness.TorchSharp;

/// <summary>Activations on the device; libtorch's tensor dies with the scope in which it was made.</summary>
internal sealed class TorchTensor : Tensor
{
    public TorchTensor(DeviceTensor value, int rows, int columns) => (Value, Rows, Columns) = (value, rows, columns);

    /// <summary>[Rows, Columns] in the backend's activation type.</summary>
    public DeviceTensor Value { get; }
}
