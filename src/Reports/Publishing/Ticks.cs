using System.Globalization;

namespace Harness.Reports.Publishing;

/// <summary>Where an axis has ticks, and what stands there.</summary>
internal static class Ticks
{
    /// <summary>The values themselves where they are few, else as many of them as have room.</summary>
    public static double[] OfValues(IEnumerable<double> values, int most)
    {
        var distinct = values.Distinct().Order().ToArray();
        var every = (distinct.Length + most - 1) / Math.Max(1, most);
        return [.. distinct.Where((_, i) => i % Math.Max(1, every) == 0)];
    }

    /// <summary>Round values of a logarithmic axis, at most so many: 1, 2 and 5 of each decade, 1 and 3, or some of its powers.</summary>
    public static IReadOnlyList<double> OfDecades(double low, double high, int most)
    {
        var (first, last) = ((int)Math.Floor(Math.Log10(low)), (int)Math.Ceiling(Math.Log10(high)));
        double[][] choices = [.. from digits in new int[][] { [1, 2, 5], [1, 3], [1] }
            select (double[])[.. from power in Enumerable.Range(first, last - first + 1)
                from digit in digits
                let value = power < 0 ? digit / Math.Pow(10, -power) : digit * Math.Pow(10, power)
                where value >= low && value <= high
                select value]];
        return choices.FirstOrDefault(ticks => ticks.Length <= most) ?? OfValues(choices[^1], most);
    }

    public static string Text(double value) =>
        value.ToString(Math.Abs(value) is >= 1e6 or (< 1e-3 and > 0) ? "0.###e0" : "#,0.######", CultureInfo.InvariantCulture);
}
