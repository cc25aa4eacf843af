using System.Text;
using System.Text.Json;
using Harness.Common;

namespace Harness.Energy.Recordings;

/// <summary>
/// AIPerf's <c>gpu_telemetry_export.jsonl</c>: a line per device, source and time, joules in MJ. Two exporters that see one device give a
/// series each.
/// </summary>
internal static class TelemetryLines
{
    private const string Data = "telemetry_data";

    private static readonly (string Field, Reported Meaning)[] s_fields =
    [
        ("gpu_power_usage", Reported.Power(PowerField.Unspecified)),
        ("amd_power", Reported.Power(PowerField.Unspecified)),
        ("energy_consumption", Reported.Energy(1e6)),
        ("amd_energy_consumption", Reported.Energy(1e6)),
        ("gpu_temperature", Reported.Temperature), ("amd_temperature", Reported.Temperature),
        ("sm_clock_frequency", Reported.SmClock), ("amd_sm_clock", Reported.SmClock),
        ("memory_clock_frequency", Reported.MemoryClock), ("amd_mem_clock", Reported.MemoryClock),
        ("gpu_utilization", Reported.Utilization), ("amd_gfx_activity", Reported.Utilization),
        ("power_management_limit", Reported.PowerLimit),
    ];

    public static bool Knows(string head) =>
        head.TrimStart('\uFEFF', ' ').StartsWith('{') && head.Contains($"\"{Data}\"", StringComparison.Ordinal);

    public static Recording Read(string file, string format)
    {
        var (devices, lines) = (new RecordedDevices(file), new RecordedLines(file));
        lines.Read(line =>
        {
            try
            {
                JsonTexts.Check(Encoding.UTF8.GetBytes(line));
                using var json = JsonDocument.Parse(line);
                Take(json.RootElement, devices);
            }
            catch (JsonException e)
            {
                throw new FormatException($"not a line of JSON ({JsonRows.Reason(e)})", e);
            }
        });
        return devices.Conclude(format, lines.Remarks);
    }

    private static void Take(JsonElement line, RecordedDevices devices)
    {
        if (line.ValueKind != JsonValueKind.Object || !line.TryGetProperty(Data, out var data) || data.ValueKind != JsonValueKind.Object)
            throw new FormatException($"it has no {Data}");
        if (!line.TryGetProperty("timestamp_ns", out var nanoseconds) || Number(nanoseconds) is not { } time || time < 0)
            throw new FormatException("timestamp_ns is no time");
        var index = line.TryGetProperty("gpu_index", out var number) ? Number(number) : null;
        var device = Text(line, "gpu_uuid") ?? (index is { } known ? $"{RecordedDevices.ByNumber}{known:F0}"
            : throw new FormatException("neither gpu_uuid nor gpu_index: whose is it?"));
        var source = Text(line, "telemetry_source_url") ?? Text(line, "dcgm_url") ?? "";
        var values = new List<(Reported, double)>(s_fields.Length);
        foreach (var (field, meaning) in s_fields)
            if (data.TryGetProperty(field, out var element) && Number(element) is { } value) values.Add((meaning, value * meaning.Factor));
        devices.Add(new(Text(line, "hostname") ?? source, device, DomainKind.Gpu, "aiperf", Text(line, "gpu_model_name") ?? ""), source,
            new(time / 1e9, RecordedClock.Utc), values);
    }

    private static string? Text(JsonElement line, string name) =>
        line.TryGetProperty(name, out var element) && element.ValueKind == JsonValueKind.String
            && element.GetString() is { Length: > 0 } text ? text : null;

    /// <exception cref="FormatException">It is there and no number that can be a figure.</exception>
    private static double? Number(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Number when element.TryGetDouble(out var number) && double.IsFinite(number) => number,
        _ => throw new FormatException($"{element.GetRawText()} stands where a number belongs"),
    };
}
