using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Energy.Records;

/// <summary>A stretch of one rank's time, as a row of <c>phases.csv</c>.</summary>
public sealed record PhaseRow
{
    [Column("rank", "", "of the world")] public required int Rank { get; init; }

    [Column("start_s", "s", "on the clock of the piece")] public required double StartSeconds { get; init; }

    [Column("end_s", "s", "the same; a stretch is a sampling interval at most, or a single pass or wait")]
    public required double EndSeconds { get; init; }

    [Column("prefill_s", "s", "computing for prompts, within the stretch; with `decode_s` all of its passes where `communication_s` is "
        + "empty")]
    public required double PrefillSeconds { get; init; }

    [Column("decode_s", "s", "computing for the next tokens")] public required double DecodeSeconds { get; init; }

    [Column("communication_s", "s", "in collectives and sends; empty where the host does not see the device in them")]
    public required double? CommunicationSeconds { get; init; }

    [Column("waiting_s", "s", "for activations, tokens or requests; empty with `communication_s`")]
    public required double? WaitingSeconds { get; init; }
}

/// <summary><c>phases.csv</c>: what every rank did with its time, rank after rank, each in order of time.</summary>
public static class PhaseRecords
{
    public static void Write(Stream stream, IEnumerable<RankPhases> ranks) => CsvRows.WriteTable(stream,
        from rank in ranks
        from stretch in rank.Stretches
        select new PhaseRow
        {
            Rank = rank.Rank,
            StartSeconds = stretch.StartSeconds,
            EndSeconds = stretch.EndSeconds,
            PrefillSeconds = stretch.PrefillSeconds,
            DecodeSeconds = stretch.DecodeSeconds,
            CommunicationSeconds = stretch.CommunicationSeconds,
            WaitingSeconds = stretch.WaitingSeconds,
        });

    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A row is not one of a phases.csv; its line is named.</exception>
    public static IReadOnlyList<RankPhases> Read(Stream stream, string source)
    {
        var ranks = new SortedDictionary<int, List<PhaseStretch>>();
        foreach (var (index, row) in CsvRows.Read<PhaseRow>(stream, source).Index())
        {
            PhaseStretch stretch = new(row.StartSeconds, row.EndSeconds, row.PrefillSeconds, row.DecodeSeconds, row.CommunicationSeconds,
                row.WaitingSeconds);
            if (stretch.EndSeconds < stretch.StartSeconds || stretch is { PrefillSeconds: < 0 } or { DecodeSeconds: < 0 }
                or { CommunicationSeconds: < 0 } or { WaitingSeconds: < 0 }) throw Refuse(index, "it has negative seconds");
            if (!ranks.TryGetValue(row.Rank, out var stretches)) ranks[row.Rank] = stretches = [];
            if (stretches.Count > 0 && stretch.StartSeconds < stretches[^1].StartSeconds)
                throw Refuse(index, "it begins before the one above it");
            stretches.Add(stretch);
        }
        return [.. ranks.Select(rank => new RankPhases(rank.Key, rank.Value))];

        // The header is line 1, and no number has a line feed in it.
        UserErrorException Refuse(int index, string why) => new(FormattableString.Invariant($"{source}:{index + 2}: {why}"));
    }
}
