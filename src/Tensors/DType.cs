using System.Diagnostics.CodeAnalysis;
using Harness.Common;

namespace Harness.Tensors;

/// <summary>Element type of weights, little-endian.</summary>
public enum DType
{
    F32,
    BF16,
    F16,

    /// <summary>
    /// Of matrices in memory alone: groups of 32 neighbours of a row with one scale, which is float16 (Q8_0 of llama.cpp). What becomes
    /// of a value depends on its group, so that no slice may begin or end within one.
    /// </summary>
    [SuppressMessage("Naming", "CA1720", Justification = "The field's own name of it.")]
    Int8,
}

public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type stores groups; ask for <see cref="RowBytes"/>.</exception>
    public static int Bytes(this DType dtype) => dtype switch
    {
        DType.F32 => 4,
        DType.BF16 or DType.F16 => 2,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "an element of a group has no bytes of its own"),
    };

    /// <summary>Neighbours in a row that are stored together; a row's last group may be short, and takes the room of a full one.</summary>
    public static int Group(this DType dtype) => dtype == DType.Int8 ? 32 : 1;

    /// <summary>Bytes of a row of so many columns.</summary>
    public static long RowBytes(this DType dtype, int columns) =>
        dtype == DType.Int8 ? (columns + 31L) / 32 * (32 + sizeof(ushort)) : (long)columns * dtype.Bytes();

    /// <summary>The word used on the command line and in files: f32, bf16, f16, int8.</summary>
    public static string Label(this DType dtype) => dtype.ToString().ToLowerInvariant();

    /// <summary>A type of single numbers.</summary>
    /// <exception cref="UserErrorException">The word is none of f32, bf16, f16.</exception>
    public static DType Parse(string word) =>
        Number(word) ?? throw new UserErrorException($"dtype '{word}' is unknown; use f32, bf16 or f16");

    /// <summary>A type that weights are kept in.</summary>
    /// <exception cref="UserErrorException">The word is none of f32, bf16, f16, int8.</exception>
    public static DType ParseWeights(string word) => word.Equals("int8", StringComparison.OrdinalIgnoreCase) ? DType.Int8
        : Number(word) ?? throw new UserErrorException($"dtype '{word}' is unknown; use f32, bf16, f16 or int8");

    private static DType? Number(string word) => word.ToLowerInvariant() switch
    {
        "f32" or "float32" => DType.F32,
        "bf16" or "bfloat16" => DType.BF16,
        "f16" or "float16" => DType.F16,
        _ => null,
    };
}
