using System.Text;
using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Runs.Pieces;

/// <param name="Answers">Of a measured repeat that has ended: how many answers the run had of it then, those of earlier pieces
/// included.</param>
public sealed record JournalWindow(EnergyWindow Window, int? Answers);

/// <summary>
/// The windows of a piece as they begin and end, in <c>windows.partial.jsonl</c>: one that never ended ends where it began.
/// </summary>
public static class WindowJournal
{
    private static readonly JsonSerializerOptions Format = new(JsonRows.Document) { WriteIndented = false };

    /// <summary>Returns when the storage holds the end of a window; that one has begun may be lost.</summary>
    public static void Append(string directory, JournalWindow window)
    {
        var path = RunFile.WindowJournal.In(directory);
        StorageFailure.Guard(path, () =>
        {
            using var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            file.Write(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(window, Format) + "\n"));
            if (HasEnded(window.Window)) file.Flush(flushToDisk: true);
        });
    }

    public static bool HasEnded(EnergyWindow window) => window.EndSeconds > window.StartSeconds;

    /// <summary>In the order in which they began, as far as the journal is whole.</summary>
    public static IReadOnlyList<JournalWindow> Read(string directory)
    {
        var path = RunFile.WindowJournal.In(directory);
        return File.Exists(path) ? [.. Lines(File.ReadAllText(path)).GroupBy(entry => entry.Window.Name).Select(same => same.Last())] : [];
    }

    private static IEnumerable<JournalWindow> Lines(string text)
    {
        foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            JournalWindow? entry;
            try { entry = JsonSerializer.Deserialize<JournalWindow>(line, Format); }
            catch (JsonException) { yield break; }
            if (entry?.Window == null) yield break;
            yield return entry;
        }
    }
}
