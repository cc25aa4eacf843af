using System.Globalization;

namespace Harness.Runs;

/// <summary>
/// Where the parts of a run lie. A start is one go at a run; one that finished a batch is a piece of it, and pieces are numbered by
/// themselves. What a start may be continued from goes when the run is complete, what a piece measured stays.
/// </summary>
public static class RunLayout
{
    private const string Start = "start", Piece = "piece";

    /// <summary>The run directory for the first start, <c>start-N</c> for the others.</summary>
    public static string StartDirectory(string runDirectory, int start) => PartOf(runDirectory, Start, start);

    /// <summary>How many starts a run that is not complete has had.</summary>
    public static int StartsIn(string runDirectory) =>
        Enumerable.Range(2, int.MaxValue - 2).First(start => !Directory.Exists(StartDirectory(runDirectory, start))) - 1;

    /// <summary>The run directory for the first piece, <c>piece-N</c> for the others.</summary>
    public static string PieceDirectory(string runDirectory, int piece) => PartOf(runDirectory, Piece, piece);

    /// <summary>Numbers of the pieces whose figures are on disk as a whole.</summary>
    public static IReadOnlyList<int> PiecesIn(string runDirectory) =>
        [.. Enumerable.Range(1, int.MaxValue - 1).TakeWhile(piece => File.Exists(RunFile.Energy.In(PieceDirectory(runDirectory, piece))))];

    /// <summary>Every directory that is a part of the run, its own first; runs that lie below are none of its parts.</summary>
    public static IEnumerable<string> DirectoriesOf(string runDirectory) =>
    [
        runDirectory, .. Directory.EnumerateDirectories(runDirectory, $"{Start}-*"),
            .. Directory.EnumerateDirectories(runDirectory, $"{Piece}-*"),
    ];

    private static string PartOf(string runDirectory, string kind, int number) =>
        number == 1 ? runDirectory : Path.Combine(runDirectory, string.Create(CultureInfo.InvariantCulture, $"{kind}-{number}"));
}
