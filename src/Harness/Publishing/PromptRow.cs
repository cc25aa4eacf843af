using System.Globalization;
using CsvHelper;
using Harness.Records;
using Harness.Tensors;

namespace Harness.Publishing;

/// <summary>What a report needs of a row of <c>prompts.csv</c>.</summary>
internal readonly record struct PromptRow(bool Failed, double? TtftSeconds, double? TpotSeconds, double? LatencySeconds)
{
    /// <summary>
    /// Row after row. A column that another version did not write is missing in every row. Several times faster than a
    /// record's rows, of which a reader is compiled for every file: a report reads thousands of files.
    /// </summary>
    /// <exception cref="UserErrorException">The file is damaged or may not be read; it is named.</exception>
    public static IEnumerable<PromptRow> Read(RunReader run)
    {
        using var stream = run.OpenPrompts(out var source);
        using var csv = new CsvParser(new StreamReader(stream), CsvRows.Configuration());
        if (!CsvRows.Next(csv, source)) yield break;
        var header = csv.Record!;
        int Column(string name) => Array.IndexOf(header, name);
        var (reason, ttft, tpot, latency) = (Column("finish_reason"), Column("ttft_s"), Column("tpot_s"), Column("latency_s"));
        while (CsvRows.Next(csv, source))
        {
            string Text(int column) => column >= 0 && column < csv.Count ? csv[column] : "";
            double? Number(int column) => Text(column) is not { Length: > 0 } text ? null
                : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value
                : throw new UserErrorException($"{source}:{csv.RawRow}: column {header[column]} holds '{text}', which is no number");
            yield return new(FinishReason.IsFailure(Text(reason)), Number(ttft), Number(tpot), Number(latency));
        }
    }
}
