using System.Globalization;

namespace Harness.Configuration;

/// <summary>Times and percentages as people write them.</summary>
internal static class Duration
{
    /// <summary>Seconds: 100ms, 2s, 5min, or a bare number of seconds.</summary>
    public static double Parse(string text, string key)
    {
        var (digits, unit) = text switch
        {
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 0.001),
            _ when text.EndsWith("min", StringComparison.Ordinal) => (text[..^3], 60.0),
            _ when text.EndsWith('s') => (text[..^1], 1.0),
            _ => (text, 1.0),
        };
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 && double.IsFinite(number)
            ? number * unit
            : throw Validation.Wrong(key, text, "a time such as 100ms, 2s or 5min");
    }

    /// <summary>A fraction from 2% or 0.02; null where empty.</summary>
    public static double? ParsePercent(string text, string key)
    {
        if (text.Length == 0) return null;
        var (digits, unit) = text.EndsWith('%') ? (text[..^1], 0.01) : (text, 1.0);
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number * unit is > 0 and < 1
            ? number * unit
            : throw Validation.Wrong(key, text, "a percentage such as 2%");
    }
}
