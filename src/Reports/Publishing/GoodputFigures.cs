using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>
/// Joules per good request against each bound of an objective, the other bounds as they are: a run's are its joules divided by the requests
/// that are good, at each of their own times as the bound. The front is what no valid run of the same scope of energy beats: for every
/// bound the fewest joules that a good request can be had for.
/// </summary>
internal static class GoodputFigures
{
    /// <summary>Runs that are drawn beside the front.</summary>
    private const int MostLines = 6;

    private const int MostPoints = 400;

    /// <param name="slo">Bounds of the other times.</param>
    public static IReadOnlyList<Figure> Of(IReadOnlyList<ReportedRun> runs, Slo slo, RunsBelow found)
    {
        var axes = Slo.Times.Select(time => new Axis(time, slo.Without(time))).ToList();
        foreach (var (index, run) in runs.Index())
        {
            var reader = new RunReader(run.Directory);
            if (run.Summary.Energy.Total is not ({ } joules and > 0) || !reader.HasPrompts) continue;
            if (found.Try(() => reader.Requests().ToList()) is not { } requests) continue;
            foreach (var axis in axes) axis.Add(index, run, Curve(index, requests, axis.Time, axis.Others, joules));
        }
        return [.. axes.Select(axis => axis.Figure())];
    }

    /// <summary>A point for every value of the time at which one more request is good, lowest first.</summary>
    /// <param name="others">Bounds of the other times.</param>
    public static IReadOnlyList<FigurePoint> Curve(
        int run, IReadOnlyList<ServedRequest> requests, BoundedTime time, Slo others, double joules)
    {
        if (requests.Any(request => !request.Failed && (others.IsMetBy(request) == null || !time.IsKnownOf(request)))) return [];
        var times = requests.Where(request => others.IsMetBy(request) == true).Select(request => time.Of(request) ?? 0).Order().ToList();
        return [.. times.Index().Where(at => at.Item > 0 && (at.Index + 1 == times.Count || times[at.Index + 1] > at.Item))
            .Select(at => new FigurePoint(run, at.Item, joules / (at.Index + 1)))];
    }

    /// <summary>The figure of one time while runs are added to it.</summary>
    private sealed class Axis(BoundedTime time, Slo others)
    {
        private readonly List<FigureSeries> _lines = [];
        private readonly SortedDictionary<string, IReadOnlyList<FigurePoint>> _fronts = new(StringComparer.Ordinal);

        public BoundedTime Time => time;
        public Slo Others => others;

        public void Add(int index, ReportedRun run, IReadOnlyList<FigurePoint> curve)
        {
            if (curve.Count == 0) return;
            if (_lines.Count < MostLines) _lines.Add(new(
                $"{run.Label}{(run.Summary.Valid ? "" : " (energy not valid)")}", Steps(curve), SeriesStyle.Curve));
            var scope = run.Summary.EnergyScope ?? "an unknown scope";
            if (run.Summary.Valid)
                _fronts[scope] = ParetoFront.Unbeaten(_fronts.TryGetValue(scope, out var front) ? front.Concat(curve) : curve);
        }

        public Figure Figure()
        {
            var fronts = _fronts.Select(front => new FigureSeries(
                _fronts.Count > 1 ? $"Pareto front, energy of {front.Key}" : "Pareto front", Steps(front.Value), SeriesStyle.Curve));
            var within = others.IsNone ? "" : $", within {others}";
            return new($"goodput-{time.Name}", $"Energy per good request by bound on {time.Title}{within}", $"bound on {time.Title} (s)",
                "energy (J/good request)", LogX: false, [.. fronts, .. _lines],
                _lines.Count > 0 ? null : $"No run has both energy and the {time.Title} of its requests{within}.")
            {
                SpansDecades = true,
            };
        }

        /// <summary>Joules stay until one more request is good; of very many points some, evenly spaced, the last among them.</summary>
        private static IReadOnlyList<FigurePoint> Steps(IReadOnlyList<FigurePoint> points)
        {
            var every = (points.Count + MostPoints - 1) / MostPoints;
            List<FigurePoint> kept = [.. points.Index().Where(at => at.Index % every == 0 || at.Index == points.Count - 1)
                .Select(at => at.Item)];
            return [.. kept.Index().SelectMany(at => at.Index == 0 ? [at.Item]
                : new[] { at.Item with { Y = kept[at.Index - 1].Y }, at.Item })];
        }
    }
}
