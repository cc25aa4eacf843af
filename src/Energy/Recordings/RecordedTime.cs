using System.Globalization;
using System.Text.RegularExpressions;
using Harness.Common;

namespace Harness.Energy.Recordings;

/// <summary>What the times of a recording count from, which decides with what other times they can be compared.</summary>
public enum RecordedClock
{
    /// <summary>A second 0 of its own, as the monotonic clock of a run.</summary>
    Own,
    /// <summary>Unix time, or a date with its zone.</summary>
    Utc,
    /// <summary>A date without a zone, as nvidia-smi writes it: that of the machine on which it was written.</summary>
    Local,
}

/// <summary>A moment as a file tells it.</summary>
/// <param name="Seconds">Since 1970, of a local time as if its zone were UTC; or since the origin of its own.</param>
public readonly partial record struct RecordedTime(double Seconds, RecordedClock Clock)
{
    /// <summary>Smaller numbers are no Unix time: this is March 1973.</summary>
    private const double EarliestUnixSeconds = 1e8;

    /// <summary>
    /// A number is Unix time in s, ms, µs or ns by its size, or seconds of an origin of its own; a date may have a zone or not.
    /// </summary>
    public static bool TryParse(string text, out RecordedTime time)
    {
        time = default;
        text = text.Trim();
        const NumberStyles unsigned = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (double.TryParse(text, unsigned, CultureInfo.InvariantCulture, out var number))
        {
            if (!double.IsFinite(number)) return false;
            time = OfNumber(number);
            return true;
        }
        if (Stamp().Match(text) is { Success: true } stamp)
            return Compose(stamp.Groups[1].Value + stamp.Groups[2].Value, 0, null, out time);
        if (Date().Match(text) is not { Success: true } date) return false;
        var digits = string.Concat(Enumerable.Range(1, 5).Select(part => date.Groups[part].Value)) + (date.Groups[6].Success
            ? date.Groups[6].Value : "00");
        var fraction = date.Groups[7].Success ? double.Parse("0." + date.Groups[7].Value, CultureInfo.InvariantCulture) : 0;
        return Compose(digits, fraction, date.Groups[8].Success ? date.Groups[8].Value : null, out time);
    }

    /// <summary>Unix time, by its size in s, ms, µs or ns; below that of 1973, seconds of an origin of its own.</summary>
    public static RecordedTime OfNumber(double number) => number switch
    {
        < EarliestUnixSeconds => new(number, RecordedClock.Own),
        < 1e11 => new(number, RecordedClock.Utc),
        < 1e14 => new(number / 1e3, RecordedClock.Utc),
        < 1e17 => new(number / 1e6, RecordedClock.Utc),
        _ => new(number / 1e9, RecordedClock.Utc),
    };

    /// <summary>A zone's distance from UTC: <c>Z</c>, <c>+02:00</c>, <c>-0530</c>.</summary>
    /// <exception cref="UserErrorException">It is none.</exception>
    public static TimeSpan Offset(string text) => TryOffset(text, out var offset) ? offset
        : throw new UserErrorException($"'{text}' is no distance from UTC; write +HH:MM, -HH:MM or Z");

    private static bool TryOffset(string text, out TimeSpan offset)
    {
        offset = default;
        if (text is "Z" or "z" or "UTC") return true;
        if (Zone().Match(text) is not { Success: true } zone) return false;
        offset = new TimeSpan(int.Parse(zone.Groups[2].Value, CultureInfo.InvariantCulture),
            int.Parse(zone.Groups[3].Value, CultureInfo.InvariantCulture), 0);
        if (zone.Groups[1].Value == "-") offset = -offset;
        return offset.Duration() <= TimeSpan.FromHours(18);
    }

    /// <param name="digits">yyyyMMddHHmmss.</param>
    private static bool Compose(string digits, double fraction, string? zone, out RecordedTime time)
    {
        time = default;
        var offset = TimeSpan.Zero;
        if (!DateTime.TryParseExact(digits, "yyyyMMddHHmmss", CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var date)
            || (zone != null && !TryOffset(zone, out offset))) return false;
        time = new((date - DateTime.UnixEpoch - offset).TotalSeconds + fraction, zone == null ? RecordedClock.Local : RecordedClock.Utc);
        return true;
    }

    [GeneratedRegex(
        @"^([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
            + @" ?(Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?\z",
        RegexOptions.CultureInvariant)]
    private static partial Regex Date();

    /// <summary>As vLLM writes it.</summary>
    [GeneratedRegex(@"^([0-9]{8})-([0-9]{6})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Stamp();

    [GeneratedRegex(@"^([+-])([0-9]{2}):?([0-9]{2})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Zone();
}
