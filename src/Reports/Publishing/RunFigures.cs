using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>Figures of the runs themselves, for files: latency distributions of several, power over time of each.</summary>
internal static class RunFigures
{
    /// <summary>More lines than this cannot be told apart.</summary>
    private const int MostLines = 7;

    /// <summary>More files than this are not wanted; a report of fewer runs has the others.</summary>
    private const int MostTraces = 20;

    private const int Points = 200, Buckets = 480;

    /// <summary>Of a run whose inter-token latencies are drawn.</summary>
    private const long MostResponseBytes = 200_000_000;

    /// <summary>Times whose distributions are shown: their names in data and files, what people call them, and of what.</summary>
    public static IReadOnlyList<(string Id, string Title, string Of)> Times { get; } =
    [
        ("ttft", PromptTimes.Ttft, "prompts"), ("tpot", PromptTimes.Tpot, "prompts"), ("itl", PromptTimes.Itl, "gaps between tokens"),
        ("latency", PromptTimes.Latency, "prompts"),
    ];

    public static IEnumerable<Figure> Of(IReadOnlyList<ReportedRun> runs, RunsBelow found)
    {
        var prompts = new List<(int Run, PromptFigures Figures, Ecdf? Gaps)>();
        var traces = new List<Figure>();
        foreach (var (index, run) in runs.Index())
        {
            var reader = new RunReader(run.Directory);
            if (prompts.Count < MostLines && reader.HasPrompts && found.Try(() => new PromptFigures(reader.Requests())) is { } own)
                prompts.Add((index, own, reader.ResponsesLength is <= MostResponseBytes
                    ? found.Try(() => Ecdf.Of([.. reader.Gaps()], Points)) : null));
            if (traces.Count < MostTraces && PowerTrace.Exists(run.Directory))
                traces.AddRange((found.Try(() => PowerTrace.Of(run.Directory, Buckets).ToList()) ?? [])
                    .Select(trace => Power(run, index, trace)));
        }
        var distributions = Times.Select(time =>
        {
            List<FigureSeries> lines = [.. from one in prompts
                let ecdf = time.Id switch
                {
                    "ttft" => one.Figures.Ttft(Points),
                    "tpot" => one.Figures.Tpot(Points),
                    "itl" => one.Gaps,
                    _ => one.Figures.Latency(Points),
                }
                where ecdf is { Count: > 0 }
                select new FigureSeries(runs[one.Run].Label, Steps(one.Run, ecdf), SeriesStyle.Curve)];
            return new Figure($"{time.Id}-distribution", Title(time.Title), $"{time.Title} (s)", $"share of {time.Of}", LogX: false, lines,
                lines.Count > 0 ? null : "No run has such times.")
            { ShowsEnergy = false };
        });
        return [.. distributions, .. traces];
    }

    /// <summary>What people call a time, at the beginning of a line.</summary>
    public static string Title(string time) => char.ToUpperInvariant(time[0]) + time[1..];

    private static List<FigurePoint> Steps(int run, Ecdf ecdf) =>
        [.. ecdf.Values.Index()
            .SelectMany(at => new[] { at.Index > 0 ? ecdf.Share[at.Index - 1] : 0, ecdf.Share[at.Index] }.Select(share =>
            new FigurePoint(run, at.Item, share)))];

    private static Figure Power(ReportedRun run, int index, PowerTrace trace)
    {
        var from = trace.Windows.Count > 0 ? trace.Windows.Min(window => window.StartSeconds) : 0;
        var name = string.Concat(run.Label.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' ? c : '-'));
        return new($"power-{name}{(trace.Piece > 1 ? FormattableString.Invariant($"-piece-{trace.Piece}") : "")}", $"Power, {run.Label}",
            "time (s)", "power (W)", LogX: false,
            [.. trace.Series.Select(s =>
                new FigureSeries(s.Domain.Key, [.. s.Seconds.Zip(s.Mean, (t, watts) => new FigurePoint(index, t - from, watts))],
                SeriesStyle.Curve))],
            trace.Series.Count > 0 ? null : "power.csv holds no readings.")
        {
            Bands = [.. trace.Windows.Select(window => (window.Name, window.StartSeconds - from, window.EndSeconds - from))],
        };
    }
}
