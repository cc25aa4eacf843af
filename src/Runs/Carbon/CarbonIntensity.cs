using System.Globalization;
using CsvHelper;
using Harness.Common;

namespace Harness.Runs.Carbon;

/// <summary>
/// Grams of CO2e per kWh: one value for all times, or one for each hour (UTC) from a CSV file with a column of times, whose
/// name has <c>time</c> in it, and one of grams, <c>g_per_kwh</c> or as Electricity Maps names it, <c>Carbon intensity
/// gCO₂eq/kWh (LCA)</c> or <c>(direct)</c>.
/// </summary>
public sealed class CarbonIntensity
{
    /// <summary>The separator is the file's own: found in its first lines.</summary>
    private static readonly CsvReaderOptions s_hours = new() { MalformedData = CsvMalformedDataHandling.Throw, TrackLineNumbers = true };

    private readonly double? _always;
    private readonly Dictionary<DateTimeOffset, double> _hours = [];
    private readonly string _source;

    private CarbonIntensity(string source, double? always) => (_source, _always) = (source, always);

    /// <param name="setting">What the text was given as, for messages.</param>
    /// <exception cref="UserErrorException">Neither a number nor a file of hourly values; file, line and value are named.</exception>
    public static CarbonIntensity Parse(string text, string setting)
    {
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var grams))
            return grams >= 0 && double.IsFinite(grams) ? new(text, grams) : throw Wrong("a number of grams per kWh of at least 0");
        if (!File.Exists(text)) throw Wrong("grams of CO2e per kWh, or a CSV file of hourly values");
        RegularFile.Require(text);
        var intensity = new CarbonIntensity(text, null);
        try
        {
            intensity.Read();
        }
        catch (CsvFormatException e)
        {
            throw new UserErrorException($"{text} is no CSV file: {e.Message}", e);
        }
        return intensity;

        UserErrorException Wrong(string expected) => new($"{setting} is '{text}', but {expected} is expected");
    }

    /// <summary>It differs from hour to hour.</summary>
    public bool IsHourly => _always == null;

    /// <summary>Of the hour that a time lies in; null where the file has none.</summary>
    public double? At(DateTimeOffset time) => _always ?? (_hours.TryGetValue(Hour(time), out var grams) ? grams : null);

    /// <exception cref="UserErrorException">The file does not reach to this time.</exception>
    public void MustCover(DateTimeOffset time)
    {
        if (At(time) == null)
            throw new UserErrorException($"{_source} has no carbon intensity for {Text(Hour(time))} (it has {Text(_hours.Keys.Min())} to "
                + $"{Text(_hours.Keys.Max())}); add the hours of this run, or give one number with --carbon-intensity");
    }

    public static DateTimeOffset Hour(DateTimeOffset time) => new(time.UtcDateTime.Date.AddHours(time.UtcDateTime.Hour), TimeSpan.Zero);

    private static string Text(DateTimeOffset time) => time.ToString("yyyy-MM-ddTHH:mmZ", CultureInfo.InvariantCulture);

    private void Read()
    {
        using var csv = CsvReader.FromFile(_source, s_hours);
        csv.ReadHeader();
        string[] header = [.. csv.Headers];
        var time = Array.FindIndex(header, name => name.Contains("time", StringComparison.OrdinalIgnoreCase));
        string[] grams = ["g_per_kwh", "(LCA)", "(direct)", "Carbon intensity"];
        var value = grams.Select(known => Array.FindIndex(header, name => name.Contains(known, StringComparison.OrdinalIgnoreCase)))
            .FirstOrDefault(i => i >= 0, -1);
        if (time < 0 || value < 0)
            throw new UserErrorException($"{_source} has the columns {string.Join(", ", header)}, but a time and g_per_kwh are expected "
                + "(or the columns of Electricity Maps)");
        while (csv.Read())
        {
            if (!DateTimeOffset.TryParse(csv.GetString(time), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at))
                throw Wrong(csv, time, "a time such as 2026-11-21T05:00Z");
            if (!double.TryParse(csv.GetString(value), NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                || !(number >= 0 && double.IsFinite(number)))
                throw Wrong(csv, value, "grams of CO2e per kWh");
            if (!_hours.TryAdd(Hour(at), number))
                throw new UserErrorException($"{_source}:{csv.LineNumber}: a second value for the hour {Text(Hour(at))}; give one for "
                    + "each hour, such as the mean");
        }
        if (_hours.Count == 0) throw new UserErrorException($"{_source} holds no hour; give one number with --carbon-intensity instead");
    }

    private UserErrorException Wrong(CsvReader csv, int column, string expected) =>
        new($"{_source}:{csv.LineNumber}: {csv.Headers[column]} is '{csv.GetString(column)}', but {expected} is expected");
}
