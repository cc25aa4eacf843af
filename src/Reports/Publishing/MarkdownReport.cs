using System.Globalization;
using System.Text;
using Harness.Common;
using Harness.Energy;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>The runs as a Markdown table (GitHub's dialect), and that of power limits where there is one.</summary>
internal static class MarkdownReport
{
    private static readonly (string Header, Func<ReportedRun, string> Cell)[] s_texts =
    [
        ("run", run => run.Label),
        Text("model"),
        Text("gpu", run => run.Summary.Backend),
        Text("dataset"),
    ];

    private static readonly (string Header, Func<SummaryRecord, string> Cell)[] s_numbers =
    [
        ("tp × pp", run => $"{Figures.Count(run.TensorParallel)} × {Figures.Count(run.PipelineParallel)}"),
        .. new[]
        {
            "batch_size", "concurrency", "max_new_tokens", "power_limit_w", "tokens_per_s", "ttft_p50_s", "tpot_p50_s", "itl_p99_s",
            "latency_p50_s", "latency_p99_s", "avg_power_w", "total_energy_j", "energy_per_output_token_j", "energy_per_response_j",
        }.Select(Number),
        ("SLO", run => run.Goodput.Slo ?? Figures.Missing),
        .. new[] { "goodput_per_s", "energy_per_good_request_j" }.Select(Number),
        ("good requests (%)", run => Figures.Significant(100 * run.Goodput.Share)),
        .. Enum.GetValues<EnergyScope>().Select(Beside),
        ("accuracy (%)", run => Figures.Significant(100 * run.Accuracy)),
    ];

    /// <summary>A column of summary.csv under its own heading.</summary>
    private static (string Header, Func<SummaryRecord, string> Cell) Number(string name)
    {
        var column = ColumnMap<SummaryRecord>.Named(name);
        return (column.Heading, run => column.Of(run) is int count ? Figures.Count(count) : Figures.Significant((double?)column.Of(run)));
    }

    /// <summary>Joules of a scope that are not the run's own.</summary>
    private static (string Header, Func<SummaryRecord, string> Cell) Beside(EnergyScope scope) => ($"{EnumWord.Of(scope)} beside it (J)",
        run => Figures.Significant(run.IsEnergyOf(scope) ? null : run.Energy.Scopes.Of(scope).Joules));

    private static (string Header, Func<ReportedRun, string> Cell) Text(string name, Func<ReportedRun, string?>? otherwise = null)
    {
        var column = ColumnMap<SummaryRecord>.Named(name);
        return (column.Heading, run => (string?)column.Of(run.Summary) ?? otherwise?.Invoke(run) ?? "");
    }

    public static string Of(IReadOnlyList<ReportedRun> runs, ReportFigures figures)
    {
        var text = new StringBuilder();
        // A column in which no run has a value says nothing.
        var numbers = s_numbers.Where(column => runs.Any(run => column.Cell(run.Summary) != Figures.Missing)).ToList();
        var texts = figures.ScopeWarning == null ? s_texts : [.. s_texts, Text("energy_scope")];
        Row(text, [.. texts.Select(t => t.Header), .. numbers.Select(n => n.Header), "energy valid"]);
        text.Append('|').Insert(text.Length, "---|", texts.Length).Insert(text.Length, "--:|", numbers.Count).Append("---|\n");
        foreach (var run in runs)
            Row(text, [.. texts.Select(t => t.Cell(run)), .. numbers.Select(n => n.Cell(run.Summary)), Validity(run)]);
        if (figures.ScopeWarning is { } warning) text.Append(CultureInfo.InvariantCulture, $"\nNote: {warning}.\n");
        foreach (var group in figures.Caps) Caps(text, group);
        var reasons = runs.SelectMany(run => run.Reasons).Distinct().Order(StringComparer.Ordinal).ToList();
        if (reasons.Count > 0) text.Append('\n');
        foreach (var reason in reasons)
            text.Append(CultureInfo.InvariantCulture,
                $"- `{reason}`: {ReasonTexts.All.GetValueOrDefault(reason, "not explained by this version")}\n");
        return text.ToString();
    }

    private static string Validity(ReportedRun run) =>
        (run.Summary.Valid ? "yes" : run.Reasons.Count > 0 ? $"no: {string.Join(", ", run.Reasons)}" : "no")
        + (run.Summary.Status == RunStatus.Complete ? "" : $" ({run.Summary.Status})");

    private static void Caps(StringBuilder text, CapGroup group)
    {
        text.Append(CultureInfo.InvariantCulture,
            $"\nUnder power limits{(group.Label.Length > 0 ? $" ({Escaped(group.Label)})" : "")}, relative to the highest:\n\n");
        Row(text, ["limit (W)", "time (s)", "energy (J)", "time", "energy", "tokens/s", "1/(1+Δt) − 1", "energy valid"]);
        text.Append("|--:|--:|--:|--:|--:|--:|--:|---|\n");
        foreach (var row in group.Rows)
            Row(text, [Figures.Significant(row.LimitWatts), Figures.Significant(row.Seconds), Figures.Significant(row.Joules),
                Percent(row.TimeChange),
                Percent(row.EnergyChange), Percent(row.RateChange), Percent(row.ExpectedRateChange), row.Valid ? "yes" : "no"]);
    }

    private static string Percent(double? fraction) =>
        fraction == null ? Figures.Missing : (100 * fraction.Value).ToString("+0.00 '%';−0.00 '%';0 '%'", CultureInfo.InvariantCulture);

    private static void Row(StringBuilder text, IReadOnlyList<string> cells) =>
        text.Append("| ").AppendJoin(" | ", cells.Select(Escaped)).Append(" |\n");

    private static string Escaped(string text)
    {
        var line = new StringBuilder();
        foreach (var c in VisibleText.Of(string.Join(' ', text.Split('\n', '\r', '\t'))))
            line.Append(c switch
            {
                '|' or '\\' or '`' or '*' or '_' or '[' or ']' => $"\\{c}",
                '<' => "&lt;",
                '&' => "&amp;",
                _ =>
                c.ToString()
            });
        return line.ToString();
    }
}
