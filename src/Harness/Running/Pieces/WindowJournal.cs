using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Records;

namespace Harness.Running.Pieces;

/// <summary>The windows of a piece as they begin and end, in <c>windows.partial.jsonl</c>: one that never ended ends where it began.</summary>
internal static class WindowJournal
{
    public const string FileName = "windows.partial.jsonl";

    public static void Append(string directory, EnergyWindow window)
    {
        var path = Path.Combine(directory, FileName);
        StorageFailure.Guard(path, () =>
        {
            using var text = File.AppendText(path);
            WindowRecords.Write(text, [new(window, [])]);
        });
    }

    public static bool HasEnded(EnergyWindow window) => window.EndSeconds > window.StartSeconds;

    /// <summary>In the order in which they began.</summary>
    public static IReadOnlyList<EnergyWindow> Read(string directory)
    {
        var path = Path.Combine(directory, FileName);
        if (!File.Exists(path)) return [];
        var whole = File.ReadAllText(path);
        using var text = new StringReader(whole[..(whole.LastIndexOf('\n') + 1)]);
        return [.. WindowRecords.Read(text, path).Select(record => record.Window).GroupBy(window => window.Name).Select(same => same.Last())];
    }
}
