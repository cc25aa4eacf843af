using System.Globalization;

namespace Harness.Publishing;

/// <summary>Round numbers along an axis.</summary>
internal static class Ticks
{
    /// <summary>About <paramref name="count"/> multiples of 1, 2 or 5 times a power of ten, the outermost at or beyond the ends.</summary>
    public static double[] Linear(double low, double high, int count)
    {
        if (!(high > low)) (low, high) = low == 0 ? (0, 1) : (Math.Min(low, 0), Math.Max(low, 0));
        var raw = (high - low) / count;
        var power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        var step = power * (raw / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 };
        var (first, last) = (Math.Floor(low / step + 1e-9), Math.Ceiling(high / step - 1e-9));
        return [.. Enumerable.Range(0, (int)(last - first) + 1).Select(i => Rounded.Digits((first + i) * step, 12))];
    }

    /// <summary>The values themselves where they are few, else as many of them as have room.</summary>
    public static double[] OfValues(IEnumerable<double> values, int most)
    {
        var distinct = values.Distinct().Order().ToArray();
        var every = (distinct.Length + most - 1) / Math.Max(1, most);
        return [.. distinct.Where((_, i) => i % Math.Max(1, every) == 0)];
    }

    public static string Text(double value) => value.ToString(Math.Abs(value) is >= 1e6 or (< 1e-3 and > 0) ? "0.###e0" : "#,0.######", CultureInfo.InvariantCulture);
}
