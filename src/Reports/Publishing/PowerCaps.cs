using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>What a power limit did, relative to the highest limit of the same configuration. Changes are fractions.</summary>
/// <param name="Seconds">Of one repeat, like <paramref name="Joules"/>.</param>
/// <param name="RateChange">Of output tokens per second, as measured.</param>
/// <param name="ExpectedRateChange">1 / (1 + Δt) − 1: what the change of time lets one expect for the same tokens.</param>
internal sealed record CapRow(IReadOnlyList<int> Runs, double LimitWatts, double Seconds, double? Joules, double TimeChange,
    double? EnergyChange, double? RateChange, double ExpectedRateChange, bool Valid);

/// <summary>The runs of one configuration under several power limits, highest first.</summary>
internal sealed record CapGroup(string Label, IReadOnlyList<CapRow> Rows)
{
    /// <summary>
    /// The table of power caps in 'From Words to Watts' (arXiv 2310.03003), for every configuration that ran under at least two.
    /// </summary>
    public static IReadOnlyList<CapGroup> Of(IReadOnlyList<ReportedRun> runs)
    {
        var others = Setting.All.Where(setting => setting != Setting.OfColumn("power_limit_w")).ToList();
        var capped = runs.Index().Where(run => run.Item.Summary is { PowerLimitWatts: > 0, DurationSeconds: > 0, Completed: > 0 });
        var groups = capped.GroupBy(run =>
            string.Join('\n', others.Select(setting => setting.Of(run.Item)).Append($"{run.Item.Summary.NumPrompts}")))
            .Where(group => group.Select(run => run.Item.Summary.PowerLimitWatts).Distinct().Count() > 1).ToList();
        var labels = Setting.Describe([.. groups.Select(group => group.First().Item)], others);
        return [.. groups.Zip(labels, (group, label) => new CapGroup(label, AgainstHighest(group)))];
    }

    public static Figure Figure(IReadOnlyList<CapGroup> groups)
    {
        List<FigureSeries> series = [];
        foreach (var (label, rows) in groups)
        {
            void Add(string what, Func<CapRow, double?> change) => series.Add(new(label.Length > 0 ? $"{what}, {label}" : what,
                [.. from row in rows
                    let y = change(row)
                    where y != null
                    select new FigurePoint(row.Runs[0], row.LimitWatts, 100 * y.Value)]));
            Add("time", row => row.TimeChange);
            Add("energy", row => row.EnergyChange);
            Add("tokens/s", row => row.RateChange);
        }
        return new("power-caps", "Change under a power limit", "power limit (W)", "change (%)", LogX: false, series,
            groups.Count > 0 ? null : "No configuration ran under two or more power limits (--power-limits).")
        { FromZero = false };
    }

    private static List<CapRow> AgainstHighest(IEnumerable<(int Index, ReportedRun Item)> group)
    {
        var cells = group.GroupBy(run => run.Item.Summary.PowerLimitWatts!.Value).OrderByDescending(cell => cell.Key).Select(Cell.Of)
            .ToList();
        var highest = cells[0];
        return [.. cells.Select(cell => new CapRow(cell.Runs, cell.LimitWatts, cell.Seconds, cell.Joules,
            cell.Seconds / highest.Seconds - 1, cell.Joules / highest.Joules - 1, cell.TokensPerSecond / highest.TokensPerSecond - 1,
            highest.Seconds / cell.Seconds - 1, cell.Valid))];
    }

    /// <summary>The mean of the valid runs under one limit, or of all where none is valid.</summary>
    private sealed record Cell(IReadOnlyList<int> Runs, double LimitWatts, double Seconds, double? Joules, double? TokensPerSecond,
        bool Valid)
    {
        public static Cell Of(IGrouping<double, (int Index, ReportedRun Item)> all)
        {
            var valid = all.Where(run => run.Item.Summary.Valid).ToList();
            var runs = valid.Count > 0 ? valid : [.. all];
            return new([.. runs.Select(run => run.Index)], all.Key,
                runs.Average(run => run.Item.Summary.DurationSeconds!.Value / Repeats(run.Item.Summary)),
                runs.Average(run => run.Item.Summary.Energy.Total / Repeats(run.Item.Summary)),
                runs.Average(run => run.Item.Summary.TokensPerSecond), valid.Count > 0);
        }

        /// <summary>Seconds and joules of the summary are those of all measured repeats.</summary>
        private static double Repeats(SummaryRecord run) =>
            run.NumPrompts is > 0 and var each ? Math.Max(1, (double)((run.Completed ?? 0) + (run.Failed ?? 0)) / each) : 1;
    }
}
