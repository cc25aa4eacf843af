using System.Globalization;

namespace Harness.Energy.Recordings;

/// <summary>What a program's column, metric or field means, and in which unit it is where none is named.</summary>
/// <param name="Set">A reading with the value, in the unit of <see cref="EnergyReading"/>.</param>
/// <param name="Units">Factors to that unit, by the names that may stand behind a number.</param>
/// <param name="Factor">Of a number without a unit.</param>
internal sealed record Reported(
    Func<EnergyReading, double, EnergyReading> Set, IReadOnlyDictionary<string, double> Units, double Factor = 1)
{
    /// <summary>Words that stand for a number; other words are absent values.</summary>
    public IReadOnlyDictionary<string, double>? Words { get; init; }

    /// <summary>It is power: of several, one speaks for a device throughout.</summary>
    public bool IsPower { get; init; }

    /// <summary>Power or joules: without one of them a file says nothing here.</summary>
    public bool IsOfEnergy { get; init; }

    private static readonly Dictionary<string, double> s_watts = new() { ["W"] = 1, ["mW"] = 1e-3, ["kW"] = 1e3 };
    private static readonly Dictionary<string, double> s_joules = new()
    {
        ["J"] = 1,
        ["mJ"] = 1e-3,
        ["uJ"] = 1e-6,
        ["µJ"] = 1e-6,
        ["kJ"] = 1e3,
        ["MJ"] = 1e6,
    };
    private static readonly Dictionary<string, double> s_celsius = new() { ["C"] = 1, ["°C"] = 1 };
    private static readonly Dictionary<string, double> s_megahertz = new() { ["MHz"] = 1 };
    private static readonly Dictionary<string, double> s_percent = new() { ["%"] = 1 };
    private static readonly Dictionary<string, double> s_bytes = new()
    {
        ["MiB"] = 1 << 20,
        ["MB"] = 1 << 20,
        ["GiB"] = 1 << 30,
        ["GB"] = 1 << 30,
        ["KiB"] = 1 << 10,
        ["B"] = 1,
    };
    private static readonly Dictionary<string, double> s_none = [];

    public static Reported Power(PowerField field) =>
        new((reading, watts) => reading with { PowerWatts = watts, PowerField = field }, s_watts)
        {
            IsPower = true,
            IsOfEnergy = true,
        };

    /// <param name="factor">J to one of the program's.</param>
    public static Reported Energy(double factor) =>
        new((reading, joules) => reading with { EnergyJoules = joules }, s_joules, factor) { IsOfEnergy = true };

    public static Reported Temperature { get; } =
        new((reading, celsius) => reading with { TemperatureCelsius = Whole(celsius) }, s_celsius);
    public static Reported SmClock { get; } = new((reading, mhz) => reading with { SmClockMhz = Whole(mhz) }, s_megahertz);
    public static Reported MemoryClock { get; } = new((reading, mhz) => reading with { MemoryClockMhz = Whole(mhz) }, s_megahertz);
    public static Reported Utilization { get; } =
        new((reading, percent) => reading with { UtilizationPercent = Whole(percent) }, s_percent);
    public static Reported PowerLimit { get; } = new((reading, watts) => reading with { PowerLimitWatts = watts }, s_watts);

    /// <param name="factor">Bytes to one of the program's.</param>
    public static Reported MemoryUsed(double factor) =>
        new((reading, bytes) => reading with { MemoryUsedBytes = (long)Math.Clamp(bytes, 0, long.MaxValue / 2) }, s_bytes, factor);

    /// <summary>Clock event reasons, in NVML's bits.</summary>
    public static Reported Throttle { get; } =
        new((reading, bits) => reading with { ThrottleReasons = (ulong)Math.Clamp(bits, 0, 1L << 53) }, s_none);

    /// <summary>
    /// A word for whether any limit held the device back. That nothing did is told; what did is not: heat, which spoils a measurement,
    /// or the power limit, which does not.
    /// </summary>
    public static Reported ThrottleStatus { get; } = Throttle with { Words = new Dictionary<string, double> { ["UNTHROTTLED"] = 0 } };

    /// <summary>A cell's value; null where it says that there is none.</summary>
    /// <param name="headerUnit">The unit that stands with the column's name; null where none does.</param>
    /// <exception cref="FormatException">It is neither a number in a unit of this kind nor a word for an absent value.</exception>
    public double? Value(string cell, string? headerUnit)
    {
        var text = cell.Trim();
        if (text.Length == 0 || text[0] == '[' || text is "N/A" or "-") return null;
        if (Words != null) return Words.TryGetValue(text, out var meant) ? meant : null;
        var space = text.IndexOf(' ');
        var (digits, unit) = space < 0 ? (text, headerUnit) : (text[..space], text[(space + 1)..].Trim());
        return Number(digits) * (unit == null ? Factor
            : Units.TryGetValue(unit, out var factor) ? factor : throw new FormatException($"'{text}' is in no unit that belongs here"));
    }

    private static double Number(string digits)
    {
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return ulong.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var bits) ? bits
                : throw new FormatException($"'{digits}' is no number");
        return double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number
            : throw new FormatException($"'{digits}' is no number");
    }

    private static int Whole(double value) => (int)Math.Clamp(Math.Round(value), -1e9, 1e9);
}
