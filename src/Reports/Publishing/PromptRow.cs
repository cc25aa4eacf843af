using System.Globalization;
using CsvHelper;
using Harness.Common;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>What a report needs of a row of <c>prompts.csv</c>.</summary>
internal readonly record struct PromptRow(bool Failed, double? TtftSeconds, double? TpotSeconds, double? LatencySeconds)
{
    /// <summary>
    /// Row after row. A column that another version did not write is missing in every row. Several times faster than a
    /// record's rows, of which every column is read: a report reads thousands of files.
    /// </summary>
    /// <exception cref="UserErrorException">The file is damaged or may not be read; it is named.</exception>
    public static IEnumerable<PromptRow> Read(RunReader run)
    {
        using var stream = run.OpenPrompts(out var source);
        using var csv = CsvReader.Create(stream, CsvDialect.Reading);
        if (!CsvRows.Next(csv, source)) yield break;
        int Column(string name) => csv.TryGetFieldIndex(name, out var field) ? field : -1;
        var (reason, ttft, tpot, latency) = (Column("finish_reason"), Column("ttft_s"), Column("tpot_s"), Column("latency_s"));
        do
        {
            double? Number(int column) => column < 0 || csv.IsEmpty(column) ? null
                : double.TryParse(csv.GetSpan(column), NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
                    && double.IsFinite(value) ? value
                : throw new UserErrorException($"{source}:{csv.LineNumber}: column {csv.Headers[column]} holds '{csv.GetString(column)}', "
                + "which is no figure");
            yield return new(FinishReason.IsFailure(reason < 0 ? "" : csv.GetString(reason)), Number(ttft), Number(tpot), Number(latency));
        }
        while (CsvRows.Next(csv, source));
    }
}
