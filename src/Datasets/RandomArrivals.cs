using Harness.Common;

namespace Harness.Datasets;

/// <summary>
/// Requests that come by a renewal process: the gaps between them are independent and gamma-distributed, as <c>--burstiness</c> of vLLM's
/// <c>bench serve</c> and <c>--arrival-smoothness</c> of AIPerf have them. Of shape 1 they are exponential: a Poisson process.
/// </summary>
public static class RandomArrivals
{
    /// <summary>When each request arrives, in seconds after the start: sums of gaps with mean 1 / rate.</summary>
    /// <param name="rate">Requests per second, above 0.</param>
    /// <param name="shape">Of the gamma distribution, above 0: gaps have the variance 1 / (shape × rate²), so that below 1 requests come
    /// in bursts and above 1 more evenly than by chance.</param>
    /// <param name="repeat">Each repeat, and each pass in it, draws anew.</param>
    public static double[] Seconds(int count, double rate, double shape, ulong seed, int repeat, int pass)
    {
        var random = new SplitMix64(new SplitMix64(new SplitMix64(seed).Next() + (ulong)repeat).Next() + (ulong)pass);
        var times = new double[count];
        var now = 0.0;
        for (var i = 0; i < count; i++) times[i] = now += (shape == 1 ? Exponential(random) : Gamma(random, shape) / shape) / rate;
        return times;
    }

    /// <summary>Of mean 1: −ln(1 − u).</summary>
    private static double Exponential(SplitMix64 random) => -Math.Log(1 - Uniform(random));

    /// <summary>
    /// Of scale 1, mean and variance being the shape: Marsaglia and Tsang, "A simple method for generating gamma variables" (ACM TOMS 26,
    /// 2000). One of a shape below 1 is that of shape + 1, times a power of a uniform draw (their section 6).
    /// </summary>
    private static double Gamma(SplitMix64 random, double shape)
    {
        if (shape < 1) return Gamma(random, shape + 1) * Math.Pow(1 - Uniform(random), 1 / shape);
        var d = shape - 1.0 / 3;
        var c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            var x = Normal(random);
            var root = 1 + c * x;
            var v = root * root * root;
            if (v > 0 && Math.Log(1 - Uniform(random)) < 0.5 * x * x + d * (1 - v + Math.Log(v))) return d * v;
        }
    }

    /// <summary>Standard normal, by the polar method (Marsaglia and Bray, SIAM Review 6, 1964), the first of each pair.</summary>
    private static double Normal(SplitMix64 random)
    {
        while (true)
        {
            var (x, y) = (2 * Uniform(random) - 1, 2 * Uniform(random) - 1);
            var square = x * x + y * y;
            if (square is > 0 and < 1) return x * Math.Sqrt(-2 * Math.Log(square) / square);
        }
    }

    /// <summary>In [0, 1), of 53 bits.</summary>
    private static double Uniform(SplitMix64 random) => Math.ScaleB(random.Next() >> 11, -53);
}
