namespace Harness.Common;

/// <summary>
/// Steele, Lea and Flood's SplitMix64 (OOPSLA 2014; constants of Vigna's public-domain splitmix64.c). Draws made with it are
/// part of what a run means, so they must not change with the runtime's version, as <see cref="Random"/> may.
/// </summary>
public sealed class SplitMix64(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>
    /// Uniform in [0, <paramref name="bound"/>): the high word of draw × bound, redrawn in the sliver that would favour some
    /// values (Lemire, "Fast random integer generation in an interval", 2019).
    /// </summary>
    public ulong Below(ulong bound)
    {
        var threshold = (0 - bound) % bound;
        while (true)
        {
            var high = Math.BigMul(Next(), bound, out var low);
            if (low >= threshold) return high;
        }
    }
}
