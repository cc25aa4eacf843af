using System.Globalization;
using CsvHelper;
using Harness.Common;
using Harness.Energy.Accounting;

namespace Harness.Energy.Records;

/// <summary><c>phases.csv</c>: what every rank did with its time, a row per stretch, rank after rank, each in order of time.</summary>
public static class PhaseRecords
{
    /// <summary>In the order of the file.</summary>
    public static IReadOnlyList<ColumnInfo> Columns { get; } =
    [
        new("rank", "", "of the world"),
        new("start_s", "s", "on the clock of the piece"),
        new("end_s", "s", "the same; a stretch is a sampling interval at most, or a single pass or wait"),
        new("prefill_s", "s", "computing for prompts, within the stretch; with `decode_s` all of its passes where `communication_s` is empty"),
        new("decode_s", "s", "computing for the next tokens"),
        new("communication_s", "s", "in collectives and sends; empty where the host does not see the device in them"),
        new("waiting_s", "s", "for activations, tokens or requests; empty with `communication_s`"),
    ];

    public static void Write(TextWriter text, IEnumerable<RankPhases> ranks)
    {
        using var csv = CsvWriter.Create(text, CsvDialect.Writing, leaveOpen: true);
        csv.WriteHeader([.. Columns.Select(column => column.Name)]);
        foreach (var (rank, stretch) in ranks.SelectMany(one => one.Stretches.Select(stretch => (one.Rank, stretch))))
        {
            csv.WriteField(rank);
            csv.WriteField(stretch.StartSeconds);
            csv.WriteField(stretch.EndSeconds);
            csv.WriteField(stretch.PrefillSeconds);
            csv.WriteField(stretch.DecodeSeconds);
            csv.WriteField(stretch.CommunicationSeconds);
            csv.WriteField(stretch.WaitingSeconds);
            csv.EndRecord();
        }
    }

    /// <param name="name">What the text is called in an error.</param>
    /// <exception cref="UserErrorException">A row is not one of a phases.csv; its line is named.</exception>
    public static IReadOnlyList<RankPhases> Read(TextReader text, string name)
    {
        var ranks = new SortedDictionary<int, List<PhaseStretch>>();
        using var csv = CsvReader.Create(text, CsvDialect.Reading, leaveOpen: true);
        try
        {
            if (csv.Headers.Count == 0) throw new FormatException("it has no header");
            while (csv.Read())
            {
                var (rank, stretch) = (Need<int>(csv, "rank"), ReadRow(csv));
                if (!ranks.TryGetValue(rank, out var stretches)) ranks[rank] = stretches = [];
                if (stretches.Count > 0 && stretch.StartSeconds < stretches[^1].StartSeconds)
                    throw new FormatException("it begins before the one above it");
                stretches.Add(stretch);
            }
        }
        catch (Exception e) when (e is FormatException or OverflowException or KeyNotFoundException)
        {
            throw new UserErrorException($"{name}, line {(e as CsvFormatException)?.LineNumber ?? csv.LineNumber}: not a row of "
                + $"phases.csv ({e.Message})", e);
        }
        return [.. ranks.Select(rank => new RankPhases(rank.Key, rank.Value))];
    }

    private static PhaseStretch ReadRow(CsvReader csv)
    {
        var stretch = new PhaseStretch(Need<double>(csv, "start_s"), Need<double>(csv, "end_s"), Need<double>(csv, "prefill_s"),
            Need<double>(csv, "decode_s"), Number<double>(csv, "communication_s"), Number<double>(csv, "waiting_s"));
        return stretch.EndSeconds >= stretch.StartSeconds && stretch is not ({ PrefillSeconds: < 0 } or { DecodeSeconds: < 0 }
            or { CommunicationSeconds: < 0 } or { WaitingSeconds: < 0 }) ? stretch : throw new FormatException("it has negative seconds");
    }

    private static T Need<T>(CsvReader csv, string column) where T : struct, IUtf8SpanParsable<T> =>
        Number<T>(csv, column) ?? throw new FormatException($"{column} is empty");

    private static T? Number<T>(CsvReader csv, string column) where T : struct, IUtf8SpanParsable<T> =>
        csv.GetSpan(column) is { Length: > 0 } text ? Finite(T.Parse(text, CultureInfo.InvariantCulture), column) : null;

    private static T Finite<T>(T value, string column) => value is double number && !double.IsFinite(number)
        ? throw new FormatException($"{column} is {number.ToString(CultureInfo.InvariantCulture)}, which is no figure") : value;
}
