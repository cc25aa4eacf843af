using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>Energy per token against a latency: the runs that no valid run of the same scope of energy beats in both.</summary>
/// <param name="Fronts">Of each scope of energy.</param>
internal sealed record ParetoFront(string Id, string Title, string XLabel, IReadOnlyList<FigurePoint> Points,
    IReadOnlyList<(string? Scope, IReadOnlyList<FigurePoint> Points)> Fronts)
{
    private static readonly Column s_energy = ColumnMap<SummaryRecord>.Named("energy_per_output_token_j");

    public static string YLabel => s_energy.Axis;

    public static IEnumerable<ParetoFront> Of(IReadOnlyList<ReportedRun> runs) =>
    [
        Of(runs, "pareto-latency", $"Energy and {PromptTimes.Latency}", "latency_p50_s"),
        Of(runs, "pareto-tpot", $"Energy and {PromptTimes.Tpot}", "tpot_p50_s"),
    ];

    /// <summary>The points of all fronts, scope after scope.</summary>
    public IReadOnlyList<FigurePoint> Front => [.. Fronts.SelectMany(front => front.Points)];

    /// <summary>As a figure: each front as a line through its runs, the others beside it.</summary>
    public Figure Figure()
    {
        var front = Front.Select(point => point.Run).ToHashSet();
        return new(Id, Title, XLabel, YLabel, LogX: false,
            [.. Fronts.Select(one => new FigureSeries(Fronts.Count > 1 ? $"Pareto front, energy of {one.Scope ?? "an unknown scope"}"
                : "Pareto front", one.Points)),
                new("other runs", [.. Points.Where(point => !front.Contains(point.Run))], SeriesStyle.Marks)],
            Points.Count > 0 ? null : "No run has both energy per token and this latency.");
    }

    /// <summary>Lowest x first; a point is on the front if its y is below that of all before it.</summary>
    private static ParetoFront Of(IReadOnlyList<ReportedRun> runs, string id, string title, string latency)
    {
        var column = ColumnMap<SummaryRecord>.Named(latency);
        var points = (from run in runs.Index()
                      let x = (double?)column.Of(run.Item.Summary)
                      let y = (double?)s_energy.Of(run.Item.Summary)
                      where x != null && y != null
                      select new FigurePoint(run.Index, x.Value, y.Value)).ToList();
        return new(id, title, column.Axis, points, [.. points.Where(point => runs[point.Run].Summary.Valid)
            .GroupBy(point => runs[point.Run].Summary.EnergyScope).OrderBy(scope => scope.Key, StringComparer.Ordinal)
            .Select(scope => (scope.Key, Unbeaten(scope)))]);
    }

    /// <summary>Lowest x first; of points that are equal one.</summary>
    public static IReadOnlyList<FigurePoint> Unbeaten(IEnumerable<FigurePoint> points)
    {
        var front = new List<FigurePoint>();
        foreach (var point in points.OrderBy(point => point.X).ThenBy(point => point.Y))
            if (front.Count == 0 || point.Y < front[^1].Y) front.Add(point);
        return front;
    }
}
