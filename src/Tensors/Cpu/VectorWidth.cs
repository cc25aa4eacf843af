using System.Runtime.Intrinsics.X86;

namespace Harness.Tensors.Cpu;

/// <summary>Bits of the vectors that the kernels work with.</summary>
internal enum VectorWidth
{
    Bits128 = 128,
    Bits256 = 256,
    Bits512 = 512,
}

internal static class VectorWidths
{
    /// <summary>
    /// The widest that the processor executes. Asked of the instruction sets, since Vector512.IsHardwareAccelerated
    /// speaks of what the runtime prefers for its own code.
    /// </summary>
    public static VectorWidth Widest =>
        Avx512F.IsSupported && Avx512BW.IsSupported ? VectorWidth.Bits512 : Avx2.IsSupported && Fma.IsSupported ? VectorWidth.Bits256
            : VectorWidth.Bits128;

    public static string Label(this VectorWidth width) => width switch
    {
        VectorWidth.Bits512 => "AVX-512",
        VectorWidth.Bits256 => "AVX2",
        _ => "128-bit vectors",
    };
}
