using Harness.Common;

namespace Harness.Running;

/// <summary>Requests that come by a Poisson process: the gaps between them are exponential, independent, and given by a seed.</summary>
internal static class PoissonArrivals
{
    /// <summary>When each request arrives, in seconds after the start: sums of −ln(1 − u) / rate, with u uniform in [0, 1).</summary>
    /// <param name="rate">Requests per second, above 0.</param>
    /// <param name="repeat">Each repeat, and each pass in it, draws anew.</param>
    public static double[] Seconds(int count, double rate, ulong seed, int repeat, int pass)
    {
        var random = new SplitMix64(new SplitMix64(new SplitMix64(seed).Next() + (ulong)repeat).Next() + (ulong)pass);
        var times = new double[count];
        var now = 0.0;
        for (var i = 0; i < count; i++)
        {
            var uniform = Math.ScaleB(random.Next() >> 11, -53);
            times[i] = now -= Math.Log(1 - uniform) / rate;
        }
        return times;
    }
}
