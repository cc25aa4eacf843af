using System.Globalization;

namespace Harness.Common;

/// <summary>Numbers for people: four significant digits, thousands separated, no exponent.</summary>
public static class Figures
{
    public const string Missing = "–";

    public static string Count(long? value) => value?.ToString("N0", CultureInfo.InvariantCulture) ?? Missing;

    /// <summary>As <c>1 run</c> and <c>1,234 runs</c>.</summary>
    /// <param name="noun">Of one; its plural has an s.</param>
    public static string Count(long? value, string noun) => $"{Count(value)} {noun}{(value == 1 ? "" : "s")}";

    public static string Significant(double? value)
    {
        if (value is not { } v) return Missing;
        if (v == 0 || !double.IsFinite(v)) return v.ToString(CultureInfo.InvariantCulture);
        var decimals = Math.Clamp(3 - (int)Math.Floor(Math.Log10(Math.Abs(v))), 0, 9);
        return v.ToString($"N{decimals}", CultureInfo.InvariantCulture);
    }

    public static string Clock(TimeSpan time) => time.TotalDays >= 1
        ? $"{(int)time.TotalDays}d {time.Hours:00}:{time.Minutes:00}:{time.Seconds:00}"
        : $"{time.Hours}:{time.Minutes:00}:{time.Seconds:00}";
}
