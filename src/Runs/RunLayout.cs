using System.Globalization;

namespace Harness.Runs;

/// <summary>
/// Where the parts of a run lie. A start is one go at a run, and one that finished a batch is a piece of it, under the same number. What
/// a start may be continued from goes when the run is complete, what it measured stays.
/// </summary>
public static class RunLayout
{
    private const string Piece = "piece-";

    /// <summary>The run directory for the first start, <c>piece-N</c> for the others.</summary>
    public static string DirectoryOf(string runDirectory, int start) =>
        start == 1 ? runDirectory : Path.Combine(runDirectory, Piece + start.ToString(CultureInfo.InvariantCulture));

    /// <summary>Numbers of the starts that have a directory, in order: of a run that is not complete, all.</summary>
    public static IReadOnlyList<int> StartsIn(string runDirectory) =>
    [
        1, .. Directory.EnumerateDirectories(runDirectory, $"{Piece}*").Select(NumberOf).OfType<int>().Where(number => number > 1).Order(),
    ];

    /// <summary>Numbers of the starts whose figures are on disk as a whole.</summary>
    public static IReadOnlyList<int> PiecesIn(string runDirectory) =>
        [.. StartsIn(runDirectory).Where(start => File.Exists(RunFile.Energy.In(DirectoryOf(runDirectory, start))))];

    /// <summary>Null where the directory is called otherwise.</summary>
    private static int? NumberOf(string path)
    {
        var name = Path.GetFileName(path);
        return int.TryParse(name.AsSpan(Piece.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && Path.GetFileName(DirectoryOf("", number)) == name ? number : null;
    }
}
