using System.Runtime.Intrinsics;

namespace Harness.Tensors.Cpu;

/// <summary>32 float32 values and their multiples of a scale, from -127 to 127.</summary>
internal static unsafe class Int8Groups
{
    public const int Largest = 127;

    /// <summary>The largest |value|; NaN where one is.</summary>
    public static float LargestMagnitude(float* values)
    {
        // As integers magnitudes have the same order, and NaN is above infinity.
        var mask = Vector256.Create(0x7FFFFFFF);
        var most = Vector256.Max(
            Vector256.Max(Vector256.Load((int*)values) & mask, Vector256.Load((int*)values + 8) & mask),
            Vector256.Max(Vector256.Load((int*)values + 16) & mask, Vector256.Load((int*)values + 24) & mask));
        var half = Vector128.Max(most.GetLower(), most.GetUpper());
        return BitConverter.Int32BitsToSingle(Math.Max(Math.Max(half[0], half[1]), Math.Max(half[2], half[3])));
    }

    /// <summary>1 / scale; 0 where that would not be finite, so that all multiples are 0.</summary>
    public static float Inverse(float scale) => scale >= 1.17549435e-38f ? 1 / scale : 0;

    /// <summary>values · inverse to the nearest integers, half away from zero.</summary>
    public static void RoundAwayFromZero(float* values, float inverse, sbyte* multiples)
    {
        for (var i = 0; i < 32; i += 8)
        {
            var exact = Vector256.Load(values + i) * inverse;
            // The difference is exact, which adding a half and cutting would not be.
            var whole = Vector256.Truncate(exact);
            var away = Vector256.GreaterThanOrEqual(Vector256.Abs(exact - whole), Vector256.Create(0.5f));
            whole += Vector256.CopySign(Vector256<float>.One, exact) & away;
            Narrow(Vector256.ConvertToInt32Native(whole), multiples + i);
        }
    }

    /// <summary>values · inverse to the nearest integers, ties to even.</summary>
    public static void RoundToEven(float* values, float inverse, sbyte* multiples)
    {
        for (var i = 0; i < 32; i += 8)
            Narrow(Vector256.ConvertToInt32Native(Vector256.Round(Vector256.Load(values + i) * inverse)), multiples + i);
    }

    private static void Narrow(Vector256<int> wide, sbyte* narrow)
    {
        var half = Vector128.Narrow(wide.GetLower(), wide.GetUpper());
        Vector128.Narrow(half, half).GetLower().Store(narrow);
    }
}
