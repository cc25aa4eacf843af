using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Energy.Records;

namespace Harness.Energy.Recordings;

/// <summary>A stretch of time that somebody else's program told.</summary>
/// <param name="UncertaintySeconds">To which its edges are known.</param>
public sealed record RecordedWindow(string Name, RecordedTime Start, RecordedTime End, double UncertaintySeconds = 0);

/// <summary>When others' benchmarks measured: by what they wrote beside their figures.</summary>
public static class RecordedWindows
{
    /// <summary>vLLM writes when it ended to the whole second.</summary>
    private const double WholeSecond = 1;

    /// <summary>Where ML.ENERGY's results have their times, today and before, and of what.</summary>
    private static readonly string[] s_timelines = ["timeline", "power_timeline"], s_parts = ["steady_state", "benchmark"];

    public const string Forms = "ML.ENERGY's results.json, vLLM's bench serve --save-result, windows.jsonl of a run";

    /// <summary><c>START..END</c>: Unix seconds, dates with or without a zone, or seconds since the beginning of the recording.</summary>
    /// <exception cref="UserErrorException">It is no window.</exception>
    public static RecordedWindow Parse(string text)
    {
        var parts = text.Split("..");
        if (parts.Length != 2 || !RecordedTime.TryParse(parts[0], out var start) || !RecordedTime.TryParse(parts[1], out var end))
        {
            throw new UserErrorException($"--window '{text}' is no window; write START..END, each Unix seconds, a date "
                + "(2026-01-02T03:04:05.6, with a zone or without), or seconds since the beginning of the recording");
        }
        if (start.Clock != end.Clock) throw new UserErrorException($"--window '{text}': its two times are not told in the same way");
        return Checked($"--window '{text}'", new(text, start, end));
    }

    /// <exception cref="UserErrorException">The file is not there, is none of the forms, or its times are none.</exception>
    public static IReadOnlyList<RecordedWindow> Read(string file)
    {
        var bytes = InputFile.Read(file);
        if (IsRunsWindows(bytes)) return OfRun(file);
        try
        {
            using var json = InputFile.ParseJson(bytes);
            var windows = Of(json.RootElement);
            if (windows.Count == 0) throw new UserErrorException($"{file}: no window in it; known are {Forms}");
            return [.. windows.Select(window => Checked(file, window))];
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{file}: no JSON of a benchmark ({JsonRows.Reason(e)}); known are {Forms}", e);
        }
    }

    private static bool IsRunsWindows(ReadOnlySpan<byte> bytes) => bytes.StartsWith("{\"window\":{"u8);

    /// <summary>The measured windows, or all where none is one.</summary>
    private static IReadOnlyList<RecordedWindow> OfRun(string file)
    {
        using var text = new StreamReader(file);
        var all = WindowRecords.Read(text, file).Select(record => record.Window).ToList();
        var measured = all.Where(window => window.Kind == WindowKind.Measured).ToList();
        return [.. (measured.Count > 0 ? measured : all).Select(window => Checked(file, new(window.Name,
            new(window.StartSeconds, RecordedClock.Own), new(window.EndSeconds, RecordedClock.Own))))];
    }

    private static IReadOnlyList<RecordedWindow> Of(JsonElement result)
    {
        if (result.ValueKind != JsonValueKind.Object) return [];
        foreach (var timeline in s_timelines)
        {
            if (!result.TryGetProperty(timeline, out var times) || times.ValueKind != JsonValueKind.Object) continue;
            return [.. s_parts.Select(part => Part(times, part)).OfType<RecordedWindow>()];
        }
        if (result.TryGetProperty("date", out var date) && date.ValueKind == JsonValueKind.String
            && result.TryGetProperty("duration", out var duration) && Number(duration) is { } seconds
            && RecordedTime.TryParse(date.GetString()!, out var end))
        {
            return [new("vLLM bench", end with { Seconds = end.Seconds - seconds }, end, WholeSecond)];
        }
        return [];
    }

    private static RecordedWindow? Part(JsonElement times, string part) =>
        times.TryGetProperty($"{part}_start_time", out var start) && Number(start) is { } from
            && times.TryGetProperty($"{part}_end_time", out var end) && Number(end) is { } to
            ? new(part, RecordedTime.OfNumber(from), RecordedTime.OfNumber(to)) : null;

    private static double? Number(JsonElement element) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out var number) && double.IsFinite(number) ? number : null;

    private static RecordedWindow Checked(string whose, RecordedWindow window) => window.End.Seconds > window.Start.Seconds ? window
        : throw new UserErrorException($"{whose}: the window {window.Name} ends at or before its start");
}
