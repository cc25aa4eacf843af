using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Reports.Collecting;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Reports.Publishing;

/// <summary>
/// All that the page shows, as one JSON document. It is bounded: however many runs there are and however long they took,
/// the space is shared out among them, and <c>notes</c> says what had to be thinned or left out.
/// </summary>
internal sealed class PageModel
{
    /// <summary>Of power over time, in all: about 6 MB of the page.</summary>
    private const int MostBuckets = 200_000;
    private const int BucketsOfOne = 480, FewestBuckets = 40, DevicesExpected = 4;

    /// <summary>Of latency distributions, in all: about 6 MB.</summary>
    private const int MostPoints = 400_000;
    private const int PointsOfOne = 200, FewestPoints = 20;

    private const int MostManifestCharacters = 8_000_000;

    /// <summary>Whose times the page has, so that it can count good requests under any bounds: about 7 MB.</summary>
    private const int MostRequests = 200_000;

    /// <summary>Of responses that are read for their inter-token latencies, in all: some seconds.</summary>
    private const long MostResponseBytes = 200_000_000;

    /// <summary>Of one run, and of all: a column of identifiers is not one of categories.</summary>
    private const int CategoriesOfOne = 40, MostCategories = 10_000;

    /// <summary>
    /// The default encoder writes &lt;, &gt; and &amp; as \u escapes: no text of a run can end the script element that holds it.
    /// </summary>
    private static readonly JsonSerializerOptions s_format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    private readonly IReadOnlyList<ReportedRun> _runs;
    private readonly int _points, _buckets;
    private readonly List<string> _notes = [];
    private int _bucketsLeft = MostBuckets, _manifestLeft = MostManifestCharacters;
    private int _categoriesLeft = MostCategories, _withoutPower, _withoutManifest, _withoutCategories;
    private int _requestsLeft = MostRequests, _withoutRequests, _withoutGaps;
    private long _responseBytesLeft = MostResponseBytes;

    private PageModel(IReadOnlyList<ReportedRun> runs)
    {
        _runs = runs;
        _points = Math.Clamp(MostPoints / Math.Max(1, RunFigures.Times.Count * runs.Count), FewestPoints, PointsOfOne);
        _buckets = Math.Clamp(MostBuckets / Math.Max(1, DevicesExpected * runs.Count(run => PowerTrace.Exists(run.Directory))),
            FewestBuckets, BucketsOfOne);
    }

    /// <param name="found">What a damaged file would have shown is left out.</param>
    /// <param name="slo">Where the page's bounds begin.</param>
    public static string Json(IReadOnlyList<ReportedRun> runs, ReportFigures figures, Slo slo, DateTimeOffset now, RunsBelow found) =>
        new PageModel(runs).Json(figures, slo, now, found);

    private string Json(ReportFigures figures, Slo slo, DateTimeOffset now, RunsBelow found)
    {
        var details = found.Shown("page", _runs).Select(run => Details(run, found)).ToList();
        if (figures.ScopeWarning is { } warning) _notes.Add($"{char.ToUpperInvariant(warning[0])}{warning[1..]}.");
        if (_withoutPower > 0)
            _notes.Add($"Power over time of {Figures.Count(_withoutPower, "run")} was left out to keep this page small; "
                + "a report of fewer runs has it.");
        if (_withoutManifest > 0)
            _notes.Add($"The manifests of {Figures.Count(_withoutManifest, "run")} were left out to keep this page small; "
                + "they lie in the run directories.");
        if (_withoutCategories > 0)
            _notes.Add($"Of {Figures.Count(_withoutCategories, "run")} not all categories are shown: at most {CategoriesOfOne} of each; "
                + "categories.csv of the run has them.");
        if (_withoutRequests > 0)
            _notes.Add($"The times of single requests of {Figures.Count(_withoutRequests, "run")} were left out to keep this page small: "
                + "their goodput stands under the bounds that the report was made with; harness report --slo has others.");
        if (_withoutGaps > 0)
            _notes.Add($"Inter-token latencies of {Figures.Count(_withoutGaps, "run")} are not drawn, since their responses are too long "
                + "to be read for it; their percentiles are in the table, and a report of fewer runs draws them.");
        if (figures.PublishedNote is { } published) _notes.Add(published);
        if (_runs.Count > 1 && _points < PointsOfOne) _notes.Add($"Latency distributions show at most {_points} prompts of each run.");
        return JsonSerializer.Serialize(new
        {
            GeneratedUtc = now.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture),
            Version = Build.Version,
            Columns = Described<SummaryRecord>(),
            CategoryColumns = Described<CategoryRecord>(),
            Times = RunFigures.Times.Select(time => new { time.Id, Title = RunFigures.Title(time.Title), time.Of }),
            Slo = new
            {
                Times = Slo.Times.Select(time => new { Id = time.Name, Title = RunFigures.Title(time.Title), time.IsOfGaps }),
                slo.Bounds,
                Text = slo.ToString(),
            },
            Runs = details,
            Figures = figures.Sweeps,
            figures.Phases,
            PhaseScope = PhaseFigures.Scope,
            figures.Caps,
            CapFigure = figures.CapFigure,
            Pareto = figures.Pareto.Select(front =>
                new { front.Id, front.Title, front.XLabel, ParetoFront.YLabel, front.Points, front.Front }),
            Reasons = ReasonTexts.All,
            Notes = _notes,
        }, s_format);
    }

    /// <summary>What stands above a column, and what its tooltip says.</summary>
    private static IEnumerable<object> Described<T>() => ColumnMap<T>.Columns.Select(column => new
    {
        column.Name,
        column.Heading,
        Title = $"{column.Name}: {column.Meaning}{(column.Source.Length > 0 ? $" ({column.Source})" : "")}"
            .Replace("`", "", StringComparison.Ordinal),
    });

    private object Details(ReportedRun run, RunsBelow found)
    {
        var reader = new RunReader(run.Directory);
        var requests = reader.HasPrompts ? found.Try(() => reader.Requests().ToList()) : null;
        var prompts = requests == null ? null : new PromptFigures(requests);
        return new
        {
            run.Label,
            Directory = VisibleText.Of(run.Directory),
            run.Summary.Status,
            run.Summary.Valid,
            run.Reasons,
            Values = ColumnMap<SummaryRecord>.Columns.Select(column => column.Of(run.Summary)),
            Ttft = prompts?.Ttft(_points),
            Tpot = prompts?.Tpot(_points),
            Itl = found.Try(() => Gaps(reader)),
            Latency = prompts?.Latency(_points),
            Requests = requests == null ? null : Requests(requests),
            Categories = found.Try(() => CategoriesOf(reader)),
            Power = found.Try(() => Power(run)),
            Manifest = reader.HasManifest ? found.Try(() => ManifestOf(reader)) : null,
        };
    }

    /// <summary>Of all gaps together; null where they are not read.</summary>
    private Ecdf? Gaps(RunReader reader)
    {
        if (reader.ResponsesLength is not { } bytes) return null;
        if (bytes > _responseBytesLeft)
        {
            _withoutGaps++;
            return null;
        }
        _responseBytesLeft -= bytes;
        return Ecdf.Of([.. reader.Gaps()], _points);
    }

    /// <summary>
    /// Times of completed requests by name, and the number of all. A time that is not known of every request is missing; where a request
    /// has none, since it has a single token, it is null.
    /// </summary>
    private object? Requests(List<ServedRequest> requests)
    {
        var completed = requests.Where(request => !request.Failed).ToList();
        if (completed.Count > _requestsLeft)
        {
            _withoutRequests++;
            return null;
        }
        _requestsLeft -= completed.Count;
        return new
        {
            requests.Count,
            Times = Slo.Times.Where(time => completed.All(request => time.IsKnownOf(request))).ToDictionary(time => time.Name,
                time => completed.Select(time.Of).Select(seconds => seconds is { } known ? Rounded.Up(known, 6) : (double?)null)),
        };
    }

    private object Power(ReportedRun run)
    {
        if (!PowerTrace.Exists(run.Directory)) return Array.Empty<object>();
        if (_bucketsLeft <= 0)
        {
            _withoutPower++;
            return Array.Empty<object>();
        }
        var traces = PowerTrace.Of(run.Directory, _buckets).ToList();
        _bucketsLeft -= traces.Sum(trace => trace.Series.Sum(series => series.Seconds.Count));
        return traces.Select(trace => new
        {
            trace.Piece,
            // Of points that are single samples, the envelope is the line itself.
            Series = trace.Series.Select(s => new
            {
                s.Domain.Host,
                s.Domain.Device,
                s.Domain.Kind,
                s.Domain.Source,
                s.Derived,
                s.Thinned,
                s.Seconds,
                s.Mean,
                Low = s.Thinned ? s.Low : null,
                High = s.Thinned ? s.High : null,
            }),
            Windows = trace.Windows.Select(w =>
                new { w.Name, w.Kind, Start = Rounded.Digits(w.StartSeconds, 7), End = Rounded.Digits(w.EndSeconds, 7) }),
        });
    }

    private List<CategoryRecord> CategoriesOf(RunReader reader)
    {
        if (!reader.HasCategories) return [];
        using var stream = reader.OpenCategories(out var source);
        var all = CsvRows.ReadLoosely<CategoryRecord>(stream, source).Select(row => row with { Category = VisibleText.Of(row.Category) })
            .ToList();
        var shown = all.Take(Math.Min(CategoriesOfOne, _categoriesLeft)).ToList();
        _categoriesLeft -= shown.Count;
        if (shown.Count < all.Count) _withoutCategories++;
        return shown;
    }

    private JsonObject? ManifestOf(RunReader reader)
    {
        var manifest = reader.ReadManifest();
        manifest.Remove("run"); // The table has it.
        _manifestLeft -= manifest.ToJsonString().Length;
        if (_manifestLeft >= 0) return manifest;
        _withoutManifest++;
        return null;
    }
}

/// <summary>The figures and tables that page, Markdown and files of figures have in common.</summary>
/// <param name="ScopeWarning">That runs measured different things; null where they did not.</param>
internal sealed record ReportFigures(IReadOnlyList<Figure> Sweeps, IReadOnlyList<Figure> Phases, IReadOnlyList<CapGroup> Caps,
    Figure CapFigure, IReadOnlyList<ParetoFront> Pareto, string? ScopeWarning)
{
    /// <summary>What is to be said of figures that others published; null where none is drawn.</summary>
    public string? PublishedNote { get; private init; }

    /// <param name="found">What a damaged file would have shown is left out.</param>
    public static ReportFigures Of(IReadOnlyList<ReportedRun> runs, RunsBelow found, PublishedFigures published)
    {
        var caps = CapGroup.Of(runs);
        Figure[] sweeps = [.. SweepFigures.Of(runs, published)];
        return new(sweeps, PhaseFigures.Of(runs, found), caps, CapGroup.Figure(caps), [.. ParetoFront.Of(runs)],
            EnergyScopesFound.Warning(runs.Select(run => run.Summary)))
        {
            PublishedNote = sweeps.Any(figure => figure is { Empty: null, References.Count: > 0 }) ? published.Note : null,
        };
    }
}
