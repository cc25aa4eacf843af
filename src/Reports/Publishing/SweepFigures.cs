using System.Globalization;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>
/// Watts, joules per token, joules per response and throughput against what a study varies: the figures of 'From Words to
/// Watts' (arXiv 2310.03003), which has watts and joules against the number of shards, by data set, batch and length.
/// </summary>
internal static class SweepFigures
{
    /// <param name="Published">The same of a row of the ML.ENERGY leaderboard; null where it has nothing like it.</param>
    private sealed record Axis(string Id, string Title, string Label, Func<ReportedRun, double?> Of, IReadOnlyList<Setting> Varied,
        Func<PublishedRow, double?>? Published = null);

    /// <param name="Column">Of summary.csv.</param>
    /// <param name="Published">The same of a row of the ML.ENERGY leaderboard.</param>
    private sealed record Measure(string Id, string Title, Column Column, Func<PublishedRow, double> Published, bool ShowsEnergy = true);

    private static readonly Dictionary<string, Func<PublishedRow, double?>> s_published = new()
    {
        ["batch_size"] = row => row.MeanBatch,
        ["concurrency"] = row => row.MostRequests,
    };

    private static readonly Axis[] s_axes =
    [
        // The number of nodes follows from the number of shards.
        new("shards", "number of shards", "shards (tensor × pipeline)", run => run.Shards, [Setting.Shards, Setting.OfColumn("nodes")],
            row => row.Shards),
        .. from column in ColumnMap<SummaryRecord>.Columns
           where column.Chosen is { Figure.Length: > 0 }
           let chosen = column.Chosen!
           orderby chosen.Place
           select new Axis(chosen.Figure, chosen.FigureTitle, column.Axis,
               run => column.Of(run.Summary) is { } value ? Convert.ToDouble(value, CultureInfo.InvariantCulture) : null,
               [Setting.OfColumn(column.Name)], s_published.GetValueOrDefault(column.Name)),
    ];

    private static readonly Measure[] s_measures =
    [
        new("watts", "Mean power", ColumnMap<SummaryRecord>.Named("avg_power_w"), row => row.Watts),
        new("joules-per-token", "Energy per output token", ColumnMap<SummaryRecord>.Named("energy_per_output_token_j"),
            row => row.JoulesPerToken),
        new("joules-per-response", "Energy per response", ColumnMap<SummaryRecord>.Named("energy_per_response_j"),
            row => row.JoulesPerRequest),
        new("tokens-per-second", "Throughput", ColumnMap<SummaryRecord>.Named("tokens_per_s"), row => row.TokensPerSecond,
            ShowsEnergy: false),
    ];

    public static IEnumerable<Figure> Of(IReadOnlyList<ReportedRun> runs, PublishedFigures published) =>
        from axis in s_axes
        from measure in s_measures
        select Of(runs, axis, measure) with { References = published.Of(axis.Published, measure.Published) };

    private static Figure Of(IReadOnlyList<ReportedRun> runs, Axis axis, Measure measure)
    {
        var points = (from run in runs.Index()
                      let x = axis.Of(run.Item)
                      let y = (double?)measure.Column.Of(run.Item.Summary)
                      where x > 0 && y is { } value && double.IsFinite(value)
                      select (Run: run.Item, Point: new FigurePoint(run.Index, x.Value, y.Value))).ToList();
        var values = points.Select(p => p.Point.X).Distinct().ToList();
        // Of what the energy is says nothing of other figures.
        Setting[] ofEnergy = measure.ShowsEnergy ? [] : [Setting.OfColumn("energy_scope")];
        var lines = Lines(points, [.. Setting.All.Except(axis.Varied).Except(ofEnergy)]);
        var drawn = lines.SelectMany(line => line.Points).Select(point => point.Run).Distinct().Count();
        var empty = points.Count == 0 ? $"No run has both {axis.Title} and {measure.Title.ToLowerInvariant()}."
            : values.Count == 1 ? $"All runs with this figure have the same {axis.Title}: {values[0]:0.##}. Runs that differ in it make a "
            + "line."
            : lines.Count == 0 ? $"No two runs differ in {axis.Title} alone: each differs in something else, too."
            : null;
        return new($"{measure.Id}-by-{axis.Id}", $"{measure.Title} by {axis.Title}", axis.Label, measure.Column.Axis, LogX: true, lines,
            empty)
        {
            ShowsEnergy = measure.ShowsEnergy,
            Note = empty == null && points.Count - drawn is > 0 and var left
                ? $"{left} of {points.Count} runs {(left == 1 ? "is" : "are")} not drawn: no other differs from "
                    + $"{(left == 1 ? "it" : "them")} in {axis.Title} alone." : null,
        };
    }

    private static List<FigureSeries> Lines(List<(ReportedRun Run, FigurePoint Point)> points, IReadOnlyList<Setting> kept)
    {
        var others = kept.Where(setting => setting != Setting.Layout).ToList();
        // One shard is the beginning of the line of every layout.
        var lines = (from alike in points.GroupBy(p => string.Join('\n', others.Select(setting => setting.Of(p.Run))))
                     from layout in LayoutsOf(alike)
                     let line = alike.Where(p => Setting.Layout.Of(p.Run) is var own && (own == layout || own.Length == 0))
                         .OrderBy(p => p.Point.X).ToList()
                     where line.Select(p => p.Point.X).Distinct().Count() > 1
                     select line).ToList();
        // The last run of a line has its layout, if it has one.
        var labels = Setting.Describe([.. lines.Select(line => line[^1].Run)], kept.Contains(Setting.Shards) ? kept
            : [.. others, Setting.Layout]);
        return [.. lines.Zip(labels, (line, label) => new FigureSeries(label, [.. line.Select(p => p.Point)]))
            .OrderBy(series => series.Label, NaturalOrder.Instance)];
    }

    private static List<string> LayoutsOf(IEnumerable<(ReportedRun Run, FigurePoint Point)> alike)
    {
        var layouts = alike.Select(p => Setting.Layout.Of(p.Run)).Where(layout => layout.Length > 0).Distinct().ToList();
        return layouts.Count > 0 ? layouts : [""];
    }
}
