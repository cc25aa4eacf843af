using System.Runtime.Intrinsics;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Tensors;

/// <summary>
/// How the kernels read every 16-bit pattern, against the runtime's own conversion, in every vector width of this processor.
/// </summary>
internal sealed unsafe class WeightElementsTests
{
    private static readonly ushort[] s_patterns = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];

    private static IEnumerable<VectorWidth> Widths => Enum.GetValues<VectorWidth>().Where(width => width <= VectorWidths.Widest);

    [TestCaseSource(nameof(Widths))]
    public void Float16IsReadExactly(VectorWidth width) =>
        Assert.That(Finite(Read<Float16Element>(width)), Is.EqualTo(Finite(Array.ConvertAll(s_patterns, Widened))));

    [TestCaseSource(nameof(Widths))]
    public void ScaledFloat16TimesItsScalesIsFloat16(VectorWidth width)
    {
        Assert.That((double)ScaledFloat16Element.InputScale * ScaledFloat16Element.OutputScale, Is.EqualTo(Math.Pow(2, 112)));
        var read = Array.ConvertAll(Read<ScaledFloat16Element>(width), v => (float)(v * Math.Pow(2, 112)));
        Assert.That(Finite(read), Is.EqualTo(Finite(Array.ConvertAll(s_patterns, Widened))));
    }

    [TestCaseSource(nameof(Widths))]
    public void BFloat16IsTheUpperHalfOfFloat32(VectorWidth width) =>
        Assert.That(Array.ConvertAll(Read<BFloat16Element>(width), BitConverter.SingleToUInt32Bits),
            Is.EqualTo(Array.ConvertAll(s_patterns, pattern => (uint)pattern << 16)));

    private static float Widened(ushort pattern) => (float)BitConverter.UInt16BitsToHalf(pattern);

    /// <summary>As bits, so that the two zeros differ; infinities and NaN, which are refused at loading, as 0.</summary>
    private static uint[] Finite(float[] values) =>
        [.. values.Select((value, pattern) => (pattern & 0x7C00) == 0x7C00 ? 0 : BitConverter.SingleToUInt32Bits(value))];

    /// <summary>Every pattern's value, at the pattern's place.</summary>
    private static float[] Read<E>(VectorWidth width) where E : struct, IWeightElement => width switch
    {
        VectorWidth.Bits512 => Read<E, Simd512, Vector512<float>>(),
        VectorWidth.Bits256 => Read<E, Simd256, Vector256<float>>(),
        _ => Read<E, Simd128, Vector128<float>>(),
    };

    private static float[] Read<E, S, V>() where E : struct, IWeightElement where S : struct, ISimd<V> where V : struct
    {
        var values = new float[s_patterns.Length];
        var half = stackalloc float[S.Lanes];
        fixed (ushort* patterns = s_patterns)
            for (var i = 0; i < values.Length; i += 2 * S.Lanes)
            {
                S.Store(E.First<S, V>((byte*)(patterns + i)), half);
                for (var lane = 0; lane < S.Lanes; lane++) values[i + 2 * lane] = half[lane];
                S.Store(E.Second<S, V>((byte*)(patterns + i)), half);
                for (var lane = 0; lane < S.Lanes; lane++) values[i + 2 * lane + 1] = half[lane];
            }
        return values;
    }
}
