using System.Globalization;

namespace Harness.Common;

/// <summary>Amounts with units, as data sheets and people write them.</summary>
public static class Quantity
{
    private const double Kibi = 1024, Mebi = Kibi * Kibi, Gibi = Kibi * Mebi, Tebi = Kibi * Gibi;

    /// <summary>
    /// Memory, whatever the case. KB, MB, GB and TB are powers of 1,024, as on the label of a memory device: a V100 of
    /// "32GB" has 32 GiB.
    /// </summary>
    private static readonly Dictionary<string, double> s_memory = new(StringComparer.OrdinalIgnoreCase)
    {
        [""] = 1,
        ["B"] = 1,
        ["KB"] = Kibi,
        ["MB"] = Mebi,
        ["GB"] = Gibi,
        ["TB"] = Tebi,
        ["KiB"] = Kibi,
        ["MiB"] = Mebi,
        ["GiB"] = Gibi,
        ["TiB"] = Tebi,
    };

    /// <summary>Rates are decimal, as on data sheets. The case tells: "Gb/s" could be either and is refused.</summary>
    private static readonly Dictionary<string, double> s_rate = new()
    {
        [""] = 1,
        ["B/s"] = 1,
        ["kB/s"] = 1e3,
        ["KB/s"] = 1e3,
        ["MB/s"] = 1e6,
        ["GB/s"] = 1e9,
        ["TB/s"] = 1e12,
        ["KiB/s"] = Kibi,
        ["MiB/s"] = Mebi,
        ["GiB/s"] = Gibi,
        ["TiB/s"] = Tebi,
        ["Mbit/s"] = 1e6 / 8,
        ["Gbit/s"] = 1e9 / 8,
        ["Tbit/s"] = 1e12 / 8,
    };

    private static readonly Dictionary<string, double> s_flop = new(StringComparer.OrdinalIgnoreCase)
    {
        [""] = 1,
        ["GFLOPS"] = 1e9,
        ["TFLOPS"] = 1e12,
        ["PFLOPS"] = 1e15,
        ["GFLOP/s"] = 1e9,
        ["TFLOP/s"] = 1e12,
        ["PFLOP/s"] = 1e15,
    };

    private static readonly Dictionary<string, double> s_time = new()
    {
        [""] = 1,
        ["min"] = 60,
        ["s"] = 1,
        ["ms"] = 1e-3,
        ["us"] = 1e-6,
        ["µs"] = 1e-6,
        ["ns"] = 1e-9,
    };

    private static readonly Dictionary<string, double> s_none = new() { [""] = 1 };

    private static readonly Dictionary<string, double> s_part = new() { [""] = 1, ["%"] = 0.01 };

    /// <summary>A device's memory in bytes: 32GB, 31.7GiB, 34359738368. Less than a MiB is a forgotten unit.</summary>
    public static long Bytes(string text, string option) =>
        Parse(text, s_memory) is { } bytes and >= Mebi and < long.MaxValue
            ? (long)bytes
            : throw Wrong(text, option, "at least a MiB, written as 32GB, 31.7GiB or 34359738368,");

    /// <summary>Bytes per second: 900GB/s, 200Gbit/s, 9e11.</summary>
    public static double BytesPerSecond(string text, string option) =>
        Parse(text, s_rate) is { } rate and > 0 ? rate : throw Wrong(text, option, "bytes per second such as 900GB/s, 200Gbit/s or 9e11");

    /// <summary>Floating-point operations per second: 125TFLOPS, 1.25e14.</summary>
    public static double Flops(string text, string option) =>
        Parse(text, s_flop) is { } rate and > 0 ? rate : throw Wrong(text, option, "operations per second such as 125TFLOPS or 1.25e14");

    /// <summary>Seconds: 10us, 0.01ms, 1e-5.</summary>
    public static double Seconds(string text, string option) =>
        Seconds(text) ?? throw Wrong(text, option, "a time such as 10us");

    /// <summary>Seconds of 10us, 100ms, 2s, 5min or a bare number of seconds; null for anything else.</summary>
    public static double? Seconds(string text) => Parse(text, s_time);

    /// <summary>0.02 of 2% or 0.02; null for anything else.</summary>
    public static double? Share(string text) => Parse(text, s_part);

    /// <summary>A part of the whole, below 1: 5%, 0.05, 0.</summary>
    public static double Fraction(string text, string option) =>
        Share(text) is { } share and < 1 ? share : throw Wrong(text, option, "a share from 0% to below 100%, such as 5%");

    /// <summary>A number of at least 0.</summary>
    public static double Number(string text, string option) => Parse(text, s_none) ?? throw Wrong(text, option, "a number of at least 0");

    /// <exception cref="UserErrorException">Not a whole number, or out of bounds.</exception>
    public static int Whole(string text, string option, int least = 1, int most = int.MaxValue) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw Wrong(text, option, $"a whole number {(most == int.MaxValue ? $"of at least {least}" : $"from {least} to {most}")}");

    /// <param name="option">What the text was given as.</param>
    /// <param name="expected">What should have been.</param>
    public static UserErrorException Wrong(string text, string option, string expected) =>
        new($"{option} is '{text}', but {expected} is expected");

    /// <summary>For people: four significant digits in the binary unit that suits.</summary>
    public static string Text(long bytes)
    {
        var (unit, name) = Unit(bytes);
        return $"{(unit == 1 ? bytes.ToString(CultureInfo.InvariantCulture) : Figures.Significant(bytes / unit))} {name}";
    }

    /// <summary>As people write a time: in the largest of minutes, seconds and milliseconds that gives a whole number.</summary>
    public static string Text(TimeSpan time)
    {
        var (unit, name) = time switch
        {
            _ when time == TimeSpan.Zero => (TimeSpan.TicksPerSecond, "s"),
            _ when time.Ticks % TimeSpan.TicksPerMinute == 0 => (TimeSpan.TicksPerMinute, "min"),
            _ when time.Ticks % TimeSpan.TicksPerSecond == 0 => (TimeSpan.TicksPerSecond, "s"),
            _ => (TimeSpan.TicksPerMillisecond, "ms"),
        };
        return FormattableString.Invariant($"{(double)time.Ticks / unit}{name}");
    }

    /// <summary>The largest binary unit, up to GiB, of which there is at least one.</summary>
    public static (double Bytes, string Name) Unit(double bytes) => bytes switch
    {
        >= Gibi => (Gibi, "GiB"),
        >= Mebi => (Mebi, "MiB"),
        >= Kibi => (Kibi, "KiB"),
        _ => (1, "B"),
    };

    /// <summary>A finite number of at least 0 and one of the units; null for anything else.</summary>
    private static double? Parse(string text, Dictionary<string, double> units)
    {
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        var trimmed = text.Trim();
        var comparison = units.Comparer == StringComparer.OrdinalIgnoreCase ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        // The longest unit that the text ends in: "9e11" ends in none, "1e9B/s" in one.
        foreach (var (unit, factor) in units.OrderByDescending(unit => unit.Key.Length))
        {
            if (!trimmed.EndsWith(unit, comparison)) continue;
            var digits = trimmed[..^unit.Length].TrimEnd();
            return double.TryParse(digits, Style, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number * factor)
                ? number * factor
                : null;
        }
        return null;
    }
}
