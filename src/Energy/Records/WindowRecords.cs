using System.Text.Json;
using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Energy.Records;

/// <summary>
/// A line of <c>windows.jsonl</c>: a window (from which everything can be resolved again with power.csv) and what each
/// domain did in it.
/// </summary>
public sealed record WindowRecord(
    [property: JsonPropertyName("window")] EnergyWindow Window,
    [property: JsonPropertyName("devices")] IReadOnlyList<DomainEnergy> Devices)
{
    public static WindowRecord Of(WindowEnergy energy) => new(energy.Window, energy.Devices);
}

/// <summary>Writes and reads <c>windows.jsonl</c>. Absent values are left out.</summary>
public static class WindowRecords
{
    private static readonly JsonSerializerOptions s_format = new()
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new FiniteNumbers() },
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>What one line says.</summary>
    public static JsonElement Tree(WindowRecord window) => JsonSerializer.SerializeToElement(window, s_format);

    public static void Write(TextWriter text, IEnumerable<WindowRecord> windows)
    {
        foreach (var window in windows) text.Write(JsonSerializer.Serialize(window, s_format) + "\n");
    }

    /// <exception cref="UserErrorException">A line is not a window; it is named.</exception>
    public static IReadOnlyList<WindowRecord> Read(TextReader text, string name)
    {
        var windows = new List<WindowRecord>();
        for (var number = 1; text.ReadLine() is { } line; number++)
        {
            if (line.Length == 0) continue;
            try
            {
                var window = JsonSerializer.Deserialize<WindowRecord>(line, s_format) ?? throw new JsonException("null is no window");
                windows.Add(window.Devices.Any(device => device is null) ? throw new JsonException("a device is null") : window);
            }
            catch (JsonException e)
            {
                throw new UserErrorException($"{name}, line {number}: not a window ({e.Message})", e);
            }
        }
        return windows;
    }
}
