using System.Globalization;
using System.Text;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Energy.Recordings;

namespace Harness.Reports.Auditing;

/// <summary>An audit for people: what was read, a table of each window, its reasons, and what to know.</summary>
public static class AuditText
{
    private static readonly string[] s_heads =
        ["device", "counter J", "power J", "ratio", "W", "update s", "gap s", "readings", "resets"];

    public static string Of(AuditFindings findings)
    {
        var text = new StringBuilder();
        foreach (var one in findings.Recordings)
        {
            text.Append($"{VisibleText.Of(one.File)}: {one.Format}, {Figures.Count(one.Readings, "reading")} of "
                + $"{Figures.Count(one.Sources, "source")}, {Time(one.StartSeconds, one.Clock)} to {Time(one.EndSeconds, one.Clock)}\n");
        }
        var clock = findings.Recordings[0].Clock;
        foreach (var window in findings.Windows)
        {
            text.Append($"\nwindow {VisibleText.Of(window.Name)}: {Figures.Significant(window.DurationSeconds)} s, "
                + $"{Time(window.StartSeconds, clock)} to {Time(window.EndSeconds, clock)}\n");
            Table(text, window);
            text.Append(window.Valid ? "valid by what the recording tells\n" : "not valid:\n");
            foreach (var (code, meaning) in InvalidReason.Table.Where(reason => window.InvalidReasons.Contains(reason.Code)))
                text.Append($"  {code}: {meaning.Replace("`", "", StringComparison.Ordinal)}\n");
        }
        if (findings.Remarks.Count > 0) text.Append('\n');
        foreach (var remark in findings.Remarks) text.Append($"note: {VisibleText.Of(remark)}\n");
        return text.ToString();
    }

    private static void Table(StringBuilder text, AuditedWindow window)
    {
        List<string[]> rows = [s_heads, .. window.Devices.Select(Row)];
        rows.Add(["energy", Joules(window.CounterJoules), Joules(window.PowerJoules), Ratio(window.CounterPowerRatio),
            Figures.Significant(window.AverageWatts), "", "", "", ""]);
        var widths = Enumerable.Range(0, s_heads.Length).Select(column => rows.Max(row => row[column].Length)).ToList();
        foreach (var row in rows)
        {
            var cells = row.Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]));
            text.Append($"  {string.Join("  ", cells).TrimEnd()}\n");
        }
    }

    private static string[] Row(AuditedDevice device) =>
    [
        VisibleText.Of(device.Domain.Key) + (device.Domain.Name.Length > 0 ? $" ({VisibleText.Of(device.Domain.Name)})" : "")
            + (device.IsCounted ? "" : ", not counted"),
        Joules(device.Figures.CounterJoules), Joules(device.Figures.PowerJoules), Ratio(device.Figures.CounterPowerRatio),
        Figures.Significant(device.Figures.AverageWatts),
        device.UpdateSeconds is { } update ? Inv($"{(device.UpdateIsBound ? "≤ " : "")}{update:G3}") : Figures.Missing,
        device.Figures.LongestGapSeconds is { } gap ? Inv($"{gap:G3}") : Figures.Missing,
        Figures.Count(device.Figures.Samples), Figures.Count(device.Resets),
    ];

    private static string Joules(double? joules) => Figures.Significant(joules);

    private static string Ratio(double? ratio) => ratio is { } value ? Inv($"{value:F3}") : Figures.Missing;

    private static string Time(double seconds, RecordedClock clock) =>
        clock == RecordedClock.Own || seconds is not (> -6e10 and < 2.5e11) ? Inv($"{seconds:F3} s")
            : Inv($"{DateTime.UnixEpoch.AddSeconds(seconds):yyyy-MM-ddTHH:mm:ss.fff}{(clock == RecordedClock.Utc ? "Z" : " (local)")}");

    private static string Inv(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
