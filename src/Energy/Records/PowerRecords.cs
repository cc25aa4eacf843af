using System.Globalization;
using CsvHelper;
using Harness.Common;

namespace Harness.Energy.Records;

/// <summary>
/// <c>power.csv</c>: one row per reading, absent values empty, numbers in the shortest form that reads back to the same
/// bits. Also the form in which ranks hand their series to rank 0.
/// </summary>
public static class PowerRecords
{
    private sealed record Field(string Name, string Unit, string Meaning, Action<CsvWriter, SampleSeries, EnergyReading> Write)
        : ColumnInfo(Name, Unit, Meaning);

    private static readonly Field[] s_fields =
    [
        new("t_s", "s", "on the clock of the piece: the middle of the call that read the values",
            (csv, _, r) => csv.WriteField(r.TimeSeconds)),
        new("rank", "", "that read", (csv, series, _) => csv.WriteField(series.Rank)),
        new("host", "", "the machine", (csv, series, _) => csv.WriteField(CsvDialect.Text(series.Domain.Host))),
        new("device", "", "UUID of a GPU, name of a zone or of a node",
            (csv, series, _) => csv.WriteField(CsvDialect.Text(series.Domain.Device))),
        new("kind", "", "`gpu`, `package`, `dram`, `module`, `node`",
            (csv, series, _) => csv.WriteField(series.Domain.Kind.ToString().ToLowerInvariant())),
        new("source", "", "`nvml`, `rapl`, …: the meter", (csv, series, _) => csv.WriteField(series.Domain.Source)),
        new("energy_j", "J", "cumulative counter with an origin of its own, wraps undone", (csv, _, r) => csv.WriteField(r.EnergyJoules)),
        new("power_w", "W", "as the device shows it", (csv, _, r) => csv.WriteField(r.PowerWatts)),
        new("power_field", "", "what `power_w` is: `instant`, `average_1s`, `unspecified`",
            (csv, _, r) => csv.WriteField(r.PowerField is { } field ? PowerFields.Name(field) : "")),
        new("temperature_c", "°C", "of the GPU", (csv, _, r) => csv.WriteField(r.TemperatureCelsius)),
        new("sm_clock_mhz", "MHz", "of the GPU's multiprocessors", (csv, _, r) => csv.WriteField(r.SmClockMhz)),
        new("memory_clock_mhz", "MHz", "of the GPU's memory", (csv, _, r) => csv.WriteField(r.MemoryClockMhz)),
        new("utilization_percent", "%", "share of the driver's sampling period in which a kernel ran",
            (csv, _, r) => csv.WriteField(r.UtilizationPercent)),
        new("throttle_reasons", "", "clock event reasons, as bits in hexadecimal",
            (csv, _, r) => csv.WriteField(r.ThrottleReasons is { } bits ? "0x" + bits.ToString("x", CultureInfo.InvariantCulture) : "")),
        new("power_limit_w", "W", "that is set", (csv, _, r) => csv.WriteField(r.PowerLimitWatts)),
        new("memory_used_bytes", "bytes", "of the GPU, by all", (csv, _, r) => csv.WriteField(r.MemoryUsedBytes)),
        new("processors_s", "s", "time of the machine's processors, idle included, added up; absent in older files",
            (csv, _, r) => csv.WriteField(r.Processors?.AllSeconds)),
        new("processors_busy_s", "s", "of it, that in which anybody's work ran", (csv, _, r) => csv.WriteField(r.Processors?.BusySeconds)),
        new("processors_run_s", "s", "of it, that of this run's processes", (csv, _, r) => csv.WriteField(r.Processors?.RunSeconds)),
        new("module_power_w", "W", "of the superchip that the GPU is a part of, where `power_w` is the GPU's alone; absent in older files",
            (csv, _, r) => csv.WriteField(r.ModulePowerWatts)),
    ];

    /// <summary>In the order of the file.</summary>
    public static IReadOnlyList<ColumnInfo> Columns => s_fields;

    /// <summary>Series one after the other, each in order of time.</summary>
    public static void Write(TextWriter text, IEnumerable<SampleSeries> series)
    {
        using var csv = CsvWriter.Create(text, CsvDialect.Writing, leaveOpen: true);
        csv.WriteHeader([.. s_fields.Select(field => field.Name)]);
        WriteRows(csv, series);
    }

    /// <summary>Rows without a header, behind those that are there.</summary>
    public static void Append(TextWriter text, IEnumerable<SampleSeries> series)
    {
        using var csv = CsvWriter.Create(text, CsvDialect.Writing, leaveOpen: true);
        WriteRows(csv, series);
    }

    public static void Write(string path, IEnumerable<SampleSeries> series)
    {
        using var file = new StreamWriter(path);
        Write(file, series);
    }

    /// <exception cref="UserErrorException">It is not a power.csv; the line is named.</exception>
    public static IReadOnlyList<SampleSeries> Read(string path)
    {
        RegularFile.Require(path);
        using var file = new StreamReader(path);
        return Read(file, path);
    }

    /// <param name="name">What the text is called in an error.</param>
    public static IReadOnlyList<SampleSeries> Read(TextReader text, string name) => BySeries(ReadRows(text, name));

    private static IReadOnlyList<SampleSeries> BySeries(IEnumerable<(EnergyDomain Domain, int Rank, EnergyReading Reading)> rows)
    {
        var series = new Dictionary<(string Key, int Rank), (EnergyDomain Domain, List<EnergyReading> Readings)>();
        foreach (var (domain, rank, reading) in rows)
        {
            if (!series.TryGetValue((domain.Key, rank), out var one)) series[(domain.Key, rank)] = one = (domain, []);
            one.Readings.Add(reading);
        }
        return [.. series.Select(s => new SampleSeries(s.Value.Domain, s.Key.Rank, s.Value.Readings))];
    }

    /// <summary>Row after row as the file has them, so that a recording of days need not be held in memory.</summary>
    /// <param name="name">What the text is called in an error.</param>
    /// <exception cref="UserErrorException">A row is not one of a power.csv; its line is named.</exception>
    public static IEnumerable<(EnergyDomain Domain, int Rank, EnergyReading Reading)> ReadRows(TextReader text, string name)
    {
        using var csv = CsvReader.Create(text, CsvDialect.Reading, leaveOpen: true);
        while (true)
        {
            (EnergyDomain, int, EnergyReading) row;
            try
            {
                if (csv.Headers.Count == 0) throw new FormatException("it has no header");
                if (!csv.Read()) yield break;
                var domain = new EnergyDomain(CsvDialect.Original(csv.GetString("host")), CsvDialect.Original(csv.GetString("device")),
                    KindOf(csv.GetString("kind")), csv.GetString("source"));
                row = (domain, Number<int>(csv, "rank") ?? 0, ReadRow(csv));
            }
            catch (Exception e) when (e is FormatException or OverflowException or KeyNotFoundException)
            {
                throw new UserErrorException($"{name}, line {(e as CsvFormatException)?.LineNumber ?? csv.LineNumber}: not a row of "
                    + $"power.csv ({e.Message})", e);
            }
            yield return row;
        }
    }

    private static void WriteRows(CsvWriter csv, IEnumerable<SampleSeries> series)
    {
        foreach (var one in series)
        {
            foreach (var reading in one.Readings) WriteRow(csv, one, reading);
        }
    }

    private static void WriteRow(CsvWriter csv, SampleSeries series, in EnergyReading reading)
    {
        foreach (var field in s_fields) field.Write(csv, series, reading);
        csv.EndRecord();
    }

    private static EnergyReading ReadRow(CsvReader csv) => new()
    {
        TimeSeconds = Number<double>(csv, "t_s") ?? throw new FormatException("t_s is empty"),
        EnergyJoules = Number<double>(csv, "energy_j"),
        PowerWatts = Number<double>(csv, "power_w"),
        PowerField = csv.GetString("power_field") is { Length: > 0 } field ? PowerFields.Parse(field) : null,
        TemperatureCelsius = Number<int>(csv, "temperature_c"),
        SmClockMhz = Number<int>(csv, "sm_clock_mhz"),
        MemoryClockMhz = Number<int>(csv, "memory_clock_mhz"),
        UtilizationPercent = Number<int>(csv, "utilization_percent"),
        ThrottleReasons = csv.GetString("throttle_reasons") is { Length: > 2 } bits
            ? ulong.Parse(bits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) : null,
        PowerLimitWatts = Number<double>(csv, "power_limit_w"),
        MemoryUsedBytes = Number<long>(csv, "memory_used_bytes"),
        ModulePowerWatts = csv.Headers.Contains("module_power_w") ? Number<double>(csv, "module_power_w") : null,
        Processors = csv.Headers.Contains("processors_s") ? ReadProcessors(csv) : null,
    };

    private static ProcessorTime? ReadProcessors(CsvReader csv) =>
        Number<double>(csv, "processors_s") is { } all && Number<double>(csv, "processors_busy_s") is { } busy
            && Number<double>(csv, "processors_run_s") is { } run
            ? new(all, busy, run) : null;

    private static DomainKind KindOf(string text) =>
        Enum.TryParse<DomainKind>(text, ignoreCase: true, out var kind) ? kind
            : throw new FormatException($"kind '{text}' is none of gpu, package, dram, module, node");

    private static T? Number<T>(CsvReader csv, string column) where T : struct, IUtf8SpanParsable<T> =>
        csv.GetSpan(column) is { Length: > 0 } text ? Finite(T.Parse(text, CultureInfo.InvariantCulture), column) : null;

    private static T Finite<T>(T value, string column) => value is double number && !double.IsFinite(number)
        ? throw new FormatException($"{column} is {number.ToString(CultureInfo.InvariantCulture)}, which is no figure") : value;
}
