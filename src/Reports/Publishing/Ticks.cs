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

    public static string Text(double value) =>
        value.ToString(Math.Abs(value) is >= 1e6 or (< 1e-3 and > 0) ? "0.###e0" : "#,0.######", CultureInfo.InvariantCulture);
}
