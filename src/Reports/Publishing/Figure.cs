namespace Harness.Reports.Publishing;

/// <param name="Run">Index of the run in the report.</param>
internal sealed record FigurePoint(int Run, double X, double Y);

internal enum SeriesStyle
{
    /// <summary>A mark for each run, and a line through the means of those at the same x.</summary>
    Means,

    /// <summary>Marks alone.</summary>
    Marks,

    /// <summary>A line through all points as they come, without marks: there are hundreds.</summary>
    Curve,

    /// <summary>At each x a bar, the mean of the runs there, upon those of the series before it.</summary>
    Stacked,
}

/// <summary>A line of a figure: runs that differ in nothing but what the x-axis shows, and repetitions of them.</summary>
internal sealed record FigureSeries(string Label, IReadOnlyList<FigurePoint> Points, SeriesStyle Style = SeriesStyle.Means)
{
    /// <summary>At each x the mean of the valid runs, or of all where none is valid.</summary>
    public IEnumerable<(double X, double Y)> Means(Func<int, bool> isValid) =>
        Points.GroupBy(point => point.X).OrderBy(at => at.Key).Select(at =>
    {
        var valid = at.Where(point => isValid(point.Run)).ToList();
        return (at.Key, (valid.Count > 0 ? valid : at.AsEnumerable()).Average(point => point.Y));
    });
}

/// <summary>What one figure shows, whoever draws it.</summary>
/// <param name="Id">A plain name, also of its file.</param>
/// <param name="LogX">Base 2, for quantities that are doubled.</param>
/// <param name="Empty">Why there is nothing to draw; null where there is.</param>
internal sealed record Figure(string Id, string Title, string XLabel, string YLabel, bool LogX, IReadOnlyList<FigureSeries> Series,
    string? Empty)
{
    /// <summary>What is left out; null where all is drawn.</summary>
    public string? Note { get; init; }

    /// <summary>
    /// Whether the y-axis shows energy or power, of which a run without valid energy says nothing certain; times and tokens stand in any
    /// case.
    /// </summary>
    public bool ShowsEnergy { get; init; } = true;

    /// <summary>Stretches of the x-axis that are shaded and named.</summary>
    public IReadOnlyList<(string Name, double From, double To)> Bands { get; init; } = [];

    /// <summary>What stands at x = 0, 1, 2 and so on; empty where the x-axis is one of numbers.</summary>
    public IReadOnlyList<string> XNames { get; init; } = [];

    /// <summary>What others published, drawn beneath.</summary>
    public IReadOnlyList<ReferenceSeries> References { get; init; } = [];

    /// <summary>What those figures are of; null without any.</summary>
    public string? ReferenceScope => References.Count > 0 ? PublishedFigures.Scope : null;

    /// <summary>Whether both axes are logarithmic, with round values: what is drawn spans decades.</summary>
    public bool SpansDecades { get; init; }

    /// <summary>Whether 0 is on the y-axis; false where differences matter.</summary>
    public bool FromZero { get; init; } = true;
}
