using Harness.Tensors;
using ScalarType = TorchSharp.torch.ScalarType;

namespace Harness.TorchSharp;

internal static class ElementTypes
{
    public static ScalarType Torch(this DType dtype) => dtype switch
    {
        DType.F32 => ScalarType.Float32,
        DType.BF16 => ScalarType.BFloat16,
        DType.F16 => ScalarType.Float16,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "libtorch has no such type"),
    };

    public static int ElementSize(this ScalarType type) => type == ScalarType.Float32 ? 4 : 2;
}
