using System.Text.Json;
using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Runs.Pieces;

/// <param name="Answers">Of a measured repeat that has ended: how many answers the run had of it then, those of earlier starts
/// included.</param>
public sealed record JournalWindow(EnergyWindow Window, int? Answers)
{
    /// <summary>False for one of which only the beginning is known.</summary>
    [JsonIgnore]
    public bool HasEnded => Window.EndSeconds > Window.StartSeconds;
}

/// <summary>What a start's journal says besides its batches.</summary>
/// <param name="Start">The last word on the start itself; null where not even its first is whole.</param>
/// <param name="Windows">In the order in which they began; one that never ended ends where it began.</param>
public sealed record JournaledStart(StartRecord? Start, IReadOnlyList<JournalWindow> Windows);

/// <summary>
/// All that rank 0 knows of a start, as it comes, in <c>journal.partial.bin</c>: the start itself (when it begins, when its device is
/// known, when it has ended), windows as they begin and end, and every finished batch with all that is known of it. An entry is its kind
/// (a byte) and a record in JSON, or a batch's own bytes. An entry that is there has all before it: a repeat that is recorded as ended
/// has its batches. With the ranks' readings (<see cref="EnergyJournal"/>) it is what a run is continued from.
/// </summary>
public sealed class StartJournal(string directory) : IDisposable
{
    private enum EntryKind : byte { Start = 1, Window, Batch }

    private static readonly JsonSerializerOptions s_format = new(JsonRows.Document) { WriteIndented = false };

    private readonly JournalFile _file = new(RunFile.Journal.In(directory));

    /// <summary>Returns when the storage holds it.</summary>
    public void Append(StartRecord start)
    {
        Append(EntryKind.Start, JsonSerializer.SerializeToUtf8Bytes(start, s_format));
        _file.Sync();
    }

    /// <summary>Returns when the storage holds the end of a window, with all before; that one has begun may be lost.</summary>
    public void Append(JournalWindow window)
    {
        Append(EntryKind.Window, JsonSerializer.SerializeToUtf8Bytes(window, s_format));
        if (window.HasEnded) _file.Sync();
    }

    public void Append(ReadOnlySpan<byte> batch) => Append(EntryKind.Batch, batch);

    public void Dispose() => _file.Dispose();

    /// <summary>What a start left, as far as it is whole.</summary>
    /// <exception cref="UserErrorException">An entry is whole, but nothing that this version writes.</exception>
    public static JournaledStart Read(string directory)
    {
        StartRecord? start = null;
        var windows = new List<JournalWindow>();
        foreach (var (kind, content) in Entries(directory))
            if (kind == EntryKind.Start) start = Parse<StartRecord>(directory, content);
            else if (kind == EntryKind.Window) windows.Add(Parse<JournalWindow>(directory, content));
        return new(start, [.. windows.GroupBy(entry => entry.Window.Name).Select(same => same.Last())]);
    }

    /// <summary>The finished batches of a start, read as they are asked for.</summary>
    /// <exception cref="UserErrorException">As with <see cref="Read"/>.</exception>
    public static IEnumerable<byte[]> Batches(string directory) =>
        Entries(directory).Where(entry => entry.Kind == EntryKind.Batch).Select(entry => entry.Content);

    private void Append(EntryKind kind, ReadOnlySpan<byte> content) => _file.Append([(byte)kind, .. content]);

    private static IEnumerable<(EntryKind Kind, byte[] Content)> Entries(string directory) =>
        from entry in JournalFile.Read(RunFile.Journal.In(directory))
        select Enum.IsDefined((EntryKind)entry[0]) ? ((EntryKind)entry[0], entry[1..]) : throw Unknown(directory, null);

    private static T Parse<T>(string directory, byte[] content)
    {
        try
        {
            using var tree = JsonDocument.Parse(content);
            return JsonRows.Checked<T>(tree.RootElement);
        }
        catch (JsonException e)
        {
            throw Unknown(directory, e);
        }
    }

    /// <summary>An entry is as it was written, and this version cannot read it.</summary>
    public static UserErrorException Unknown(string directory, Exception? cause) =>
        new($"{RunFile.Journal.In(directory)} holds an entry that this version does not know; the version that wrote it can go on from it, "
            + "--fresh begins anew", cause);
}
