using Harness.Common;

namespace Harness.Tensors;

/// <summary>Element type of stored weights, little-endian.</summary>
public enum DType { F32, BF16, F16 }

public static class DTypes
{
    public static int Bytes(this DType dtype) => dtype == DType.F32 ? 4 : 2;

    /// <summary>The word used on the command line and in files: f32, bf16, f16.</summary>
    public static string Label(this DType dtype) => dtype.ToString().ToLowerInvariant();

    /// <exception cref="UserErrorException">The word is none of f32, bf16, f16.</exception>
    public static DType Parse(string word) => word.ToLowerInvariant() switch
    {
        "f32" or "float32" => DType.F32,
        "bf16" or "bfloat16" => DType.BF16,
        "f16" or "float16" => DType.F16,
        _ => throw new UserErrorException($"dtype '{word}' is unknown; use f32, bf16 or f16"),
    };
}
