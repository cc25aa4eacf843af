using DeviceTensor = TorchSharp.torch.Tensor;

namespace Harness.TorchSharp;

/// <summary>
/// Operations handed to the device. Views are not counted; a reshape, which copies only where the strides ask for it, is.
/// So the number is the most kernels that libtorch's own operations can have launched at one kernel each.
/// </summary>
internal sealed class Launches
{
    public long Count { get; private set; }

    public DeviceTensor Of(DeviceTensor result)
    {
        Count++;
        return result;
    }
}
