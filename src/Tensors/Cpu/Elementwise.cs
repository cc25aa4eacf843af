namespace Harness.Tensors.Cpu;

/// <summary>Operations without a matrix: norm, activation, sum.</summary>
internal static unsafe class Elementwise
{
    public static void RmsNorm(float* x, float* gain, float* y, int rows, int columns, float epsilon)
    {
        for (var r = 0; r < rows; r++, x += columns, y += columns)
        {
            var sum = 0.0;
            for (var i = 0; i < columns; i++) sum += x[i] * x[i];
            var scale = (float)(1 / Math.Sqrt(sum / columns + epsilon));
            for (var i = 0; i < columns; i++) y[i] = x[i] * scale * gain[i];
        }
    }

    public static void SwiGlu(float* gateUp, float* y, int rows, int width)
    {
        for (var r = 0; r < rows; r++, gateUp += 2 * width, y += width)
            for (var i = 0; i < width; i++)
                y[i] = gateUp[i] / (1 + MathF.Exp(-gateUp[i])) * gateUp[width + i];
    }

    public static void Add(float* x, float* y, long count)
    {
        for (long i = 0; i < count; i++) x[i] += y[i];
    }
}
