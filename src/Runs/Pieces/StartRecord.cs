using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;

namespace Harness.Runs.Pieces;

/// <summary>
/// One start of a run, as the manifest's section <c>starts</c> tells it. A start that finished a batch is a piece of the run:
/// it has rows, raw files, joules. One that was cut off before has left nothing.
/// </summary>
public sealed record StartRecord
{
    public const string Section = "starts";

    /// <summary>UTC, to the second.</summary>
    public const string TimeFormat = "yyyy-MM-ddTHH:mm:ssZ";

    public required int Start { get; init; }

    /// <summary>Its number among the pieces; missing where it finished nothing.</summary>
    public int? Piece { get; init; }
    public required string BegunUtc { get; init; }
    public string? EndedUtc { get; init; }

    /// <summary>
    /// complete, interrupted (in order), failed (it could not go on), refused (the power setting could not be made), killed (found so by
    /// the next start); missing while it goes on.
    /// </summary>
    public string? End { get; init; }

    /// <summary>The line with which it failed; missing where it did not.</summary>
    public string? Why { get; init; }

    /// <summary>Of every rank, in rank order.</summary>
    public required IReadOnlyList<string> Hosts { get; init; }

    /// <summary>Rank 0's; missing where the model was not loaded.</summary>
    public string? Device { get; init; }

    /// <summary>The batch system's number.</summary>
    public string? Job { get; init; }

    /// <summary>Batches that were finished in it.</summary>
    public int? Batches { get; init; }

    /// <summary>Of a manifest; empty where it has none.</summary>
    /// <param name="source">The file, for messages.</param>
    /// <exception cref="UserErrorException">Its section is no list of starts.</exception>
    public static List<StartRecord> Of(JsonObject manifest, string source)
    {
        try
        {
            var starts = manifest[Section]?.Deserialize<List<StartRecord?>>(JsonRows.Document) ?? [];
            return [.. starts.Select(start => start ?? throw new JsonException("null is no start"))];
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{source}: its section {Section} is no list of starts: {JsonRows.Reason(e)}", e);
        }
    }

    /// <summary>
    /// Where a start keeps what it may be continued from: the run directory for the first, <c>start-N</c> for the others, until the run is
    /// complete.
    /// </summary>
    public static string DirectoryOf(string runDirectory, int start) => RunLayout.StartDirectory(runDirectory, start);
}
