using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;

namespace Harness.Runs.Pieces;

/// <summary>
/// One start of a run, as its journal and the manifest's section <c>starts</c> tell it. A start that finished a batch is a piece of the
/// run, under its number: it has rows, raw files, joules. One that was cut off before has left nothing.
/// </summary>
public sealed record StartRecord
{
    public const string Section = "starts";

    /// <summary>UTC, to the second.</summary>
    public const string TimeFormat = "yyyy-MM-ddTHH:mm:ssZ";

    public required int Start { get; init; }

    /// <summary>Missing where its journal has lost it.</summary>
    public string? BegunUtc { get; init; }
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

    /// <summary>
    /// Those that read a meter: each has a journal of its readings, and one that is not there is lost. Missing where older versions wrote.
    /// </summary>
    public IReadOnlyList<int>? MeteredRanks { get; init; }

    /// <summary>Rank 0's; missing where the model was not loaded.</summary>
    public string? Device { get; init; }

    /// <summary>The batch system's number.</summary>
    public string? Job { get; init; }

    /// <summary>The job's step that rank 0 is in; missing where its launcher made none.</summary>
    public string? Step { get; init; }

    /// <summary>Batches that were finished in it.</summary>
    public int? Batches { get; init; }

    /// <summary>Of a manifest; empty where it has none.</summary>
    /// <param name="source">The file, for messages.</param>
    /// <exception cref="UserErrorException">Its section is no list of starts.</exception>
    public static List<StartRecord> Of(JsonObject manifest, string source)
    {
        try
        {
            return manifest[Section] is { } starts ? JsonRows.Checked<List<StartRecord>>(starts.Deserialize<JsonElement>()) : [];
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{source}: its section {Section} is no list of starts: {JsonRows.Reason(e)}", e);
        }
    }
}
