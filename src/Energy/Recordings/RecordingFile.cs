using System.Text;
using Harness.Common;
using Harness.Energy.Records;

namespace Harness.Energy.Recordings;

/// <summary>A form in which programs record devices.</summary>
/// <param name="Name">For people.</param>
/// <param name="Knows">Whether a file with this beginning is one.</param>
internal sealed record RecordingFormat(string Name, Func<string, bool> Knows, Func<string, string, Recording> Read);

/// <summary>Recordings of whatever program, by what their beginning shows.</summary>
public static class RecordingFile
{
    /// <summary>Of a scrape of an exporter the metrics of energy may stand behind many others.</summary>
    private const int HeadBytes = 1 << 18;

    /// <summary>In the order in which they are tried: a new one is a row here and a file beside it.</summary>
    private static readonly RecordingFormat[] s_formats =
    [
        new("power.csv", head => FirstLine(head).StartsWith("t_s,", StringComparison.Ordinal), ReadPower),
        new("AIPerf GPU telemetry", TelemetryLines.Knows, TelemetryLines.Read),
        new("nvidia-smi CSV", head => SmiTable.Nvidia.Knows(FirstLine(head)), SmiTable.Nvidia.Read),
        new("amd-smi CSV", head => SmiTable.Amd.Knows(FirstLine(head)), SmiTable.Amd.Read),
        new("exporter text (DCGM, AMD)", ExporterText.Knows, ExporterText.Read),
    ];

    public static string Formats { get; } = string.Join(", ", s_formats.Select(format => format.Name));

    /// <exception cref="UserErrorException">The file is not there, is none of the forms, or a line of it cannot be read.</exception>
    public static Recording Read(string file)
    {
        if (!File.Exists(file) && !Directory.Exists(file))
            throw new UserErrorException($"{file}: there is no such recording; name a file of one of these forms: {Formats}");
        RegularFile.Require(file);
        try
        {
            var head = Head(file);
            var format = Array.Find(s_formats, format => format.Knows(head)) ?? throw new UserErrorException(
                $"{file}: not a recording of power or energy that is known; these are: {Formats} (with a header, times, power or joules)");
            return Recording.Together([format.Read(file, format.Name)])[0];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read {file}: {e.Message}", e);
        }
    }

    private static Recording ReadPower(string file, string format) => new(file, format, RecordedClock.Own, PowerRecords.Read(file));

    private static string Head(string file)
    {
        using var bytes = File.OpenRead(file);
        var head = new byte[(int)Math.Min(HeadBytes, bytes.Length)];
        var read = bytes.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        ForeignFile.Refuse(file, head.AsSpan(0, Math.Min(read, ForeignFile.HeadBytes)));
        return Encoding.UTF8.GetString(head, 0, read).TrimStart('\uFEFF');
    }

    private static string FirstLine(string head) => head.TrimStart().Split('\n', 2)[0].Trim();
}
