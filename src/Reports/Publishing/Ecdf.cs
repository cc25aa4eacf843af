namespace Harness.Reports.Publishing;

/// <summary>
/// An empirical distribution: <c>Share[i]</c> of the sample is at most <c>Values[i]</c>. Where the sample is larger than
/// asked for, order statistics evenly spaced by rank stand for it, the smallest and the largest among them.
/// </summary>
internal sealed record Ecdf(int Count, IReadOnlyList<double> Values, IReadOnlyList<double> Share)
{
    public static Ecdf Of(List<double> sample, int points)
    {
        sample.Sort();
        var count = Math.Min(points, sample.Count);
        var ranks = Enumerable.Range(0, count).Select(i => count == sample.Count ? i : (int)((long)i * (sample.Count - 1) / (count - 1)))
            .ToArray();
        return new(sample.Count, [.. ranks.Select(rank => Rounded.Digits(sample[rank], 6))],
            [.. ranks.Select(rank => Rounded.Digits((rank + 1.0) / sample.Count, 6))]);
    }
}

/// <summary>Numbers for a page, which need no more digits than a figure shows.</summary>
internal static class Rounded
{
    /// <summary>
    /// To that many significant decimal digits, upward: what is at most a bound of no more digits is so afterwards, and what is above it is
    /// above it.
    /// </summary>
    public static double Up(double value, int digits)
    {
        if (value <= 0 || !double.IsFinite(value)) return value;
        var places = digits - 1 - (int)Math.Floor(Math.Log10(value));
        if (places is > 15 or < 0) return value;
        // Decimals, since 0.1 is one of them, and no double.
        var exact = (decimal)value;
        var down = decimal.Round(exact, places, MidpointRounding.ToZero);
        return (double)(down == exact ? down : down + new decimal(1, 0, 0, isNegative: false, (byte)places));
    }

    public static double Digits(double value, int digits)
    {
        if (value == 0 || !double.IsFinite(value)) return value;
        var places = digits - 1 - (int)Math.Floor(Math.Log10(Math.Abs(value)));
        if (places is > 15 or < -15) return value;
        return places >= 0 ? Math.Round(value, places) : Math.Round(value * Math.Pow(10, places)) * Math.Pow(10, -places);
    }
}
