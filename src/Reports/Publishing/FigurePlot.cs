using System.Text.RegularExpressions;
using System.Xml;
using OxyPlot;
using OxyPlot.Annotations;
using OxyPlot.Axes;
using OxyPlot.Legends;
using OxyPlot.Series;

namespace Harness.Reports.Publishing;

/// <summary>
/// A figure as OxyPlot draws it, for one column of a two-column paper: 3.4 in wide, text of 8 points, colours that colour-blind
/// readers can tell apart (Okabe and Ito 2008), and marks and dashes that tell lines apart in grey. Invalid runs are hollow.
/// Lengths are OxyPlot's, 1/96 in.
/// </summary>
internal sealed partial class FigurePlot
{
    public const double Width = 3.4 * 96;

    /// <summary>Arial, or a typeface as wide.</summary>
    private const string Typefaces = "Arial, Helvetica, 'Liberation Sans', Arimo, sans-serif";

    private const double Point = 96 / 72.0, FontSize = 8 * Point, Thin = 0.5 * Point, Line = 1 * Point;
    private const double HeightWithoutLegend = 184 * Point, LineHeight = 11 * Point, Margin = 3 * Point;
    private const double LegendTextWidth = Width - 2 * Margin - 27 * Point;

    /// <summary>Marks of published figures to those of runs.</summary>
    private const double ReferenceSize = 0.8;

    /// <summary>More cannot be told apart in a figure of this size; a report of fewer runs draws the others.</summary>
    private const int MostSeries = 14;

    private const int MostTicks = 8;

    private static readonly OxyColor[] s_colours =
        [.. new[] { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000" }.Select(OxyColor.Parse)];
    private static readonly double[]?[] s_dashes = [null, [5, 2], [1.5, 1.5], [6, 2, 1.5, 2]]; // in line widths
    private static readonly (MarkerType Type, double Size)[] s_marks =
    [
        (MarkerType.Circle, 2.3 * Point), (MarkerType.Square, 2.1 * Point),
        (MarkerType.Triangle, 2.4 * Point), (MarkerType.Diamond, 2.2 * Point),
    ];
    private static readonly (MarkerType Type, double Size) s_block = (MarkerType.Square, 3.2 * Point);
    private static readonly OxyColor s_ink = OxyColor.Parse("#555555"), s_grid = OxyColor.Parse("#DDDDDD"),
        s_quiet = OxyColor.Parse("#9A9A9A");
    private static readonly OxyColor[] s_shades = [OxyColor.Parse("#ECECEC"), OxyColor.Parse("#F6F6F6")];

    private readonly Figure _figure;
    private readonly List<(double X, double Y)> _points;
    private readonly Func<int, bool> _isValid;

    /// <param name="isValid">Of a run, by its index.</param>
    public FigurePlot(Figure figure, Func<int, bool> isValid)
    {
        _figure = figure with { Series = [.. figure.Series.Take(MostSeries)] };
        _points = [.. _figure.Series.SelectMany(series => series.Points.Select(point => (point.X, point.Y)))
            .Concat(_figure.References.SelectMany(series => series.Points.Select(point => (point.X, point.Y))))];
        _isValid = figure.ShowsEnergy ? isValid : _ => true;
        var title = Wrapped(figure.Title, Width - 4 * Margin);
        Model = new PlotModel
        {
            Title = title,
            TitleFontSize = FontSize,
            TitleHorizontalAlignment = TitleHorizontalAlignment.CenteredWithinView,
            TitlePadding = Margin,
            DefaultFont = Typefaces,
            DefaultFontSize = FontSize,
            Background = OxyColors.White,
            Padding = new(Margin),
            PlotAreaBorderColor = s_ink,
            PlotAreaBorderThickness = new(Thin, 0, 0, Thin),
            IsLegendVisible = false,
        };
        var (x, y) = (XAxis(), YAxis());
        Model.Axes.Add(x);
        Model.Axes.Add(y);
        foreach (var (index, (name, from, to)) in figure.Bands.Index())
        {
            Model.Annotations.Add(new NamedStretch(Printable(name), x, Math.Max(from, x.Minimum), Math.Min(to, x.Maximum), y.Maximum)
            {
                Fill = s_shades[index % s_shades.Length],
                FontSize = 7 * Point,
            });
        }
        if (!figure.SpansDecades)
        {
            Model.Annotations.Add(new LineAnnotation
            {
                Type = LineAnnotationType.Horizontal,
                Color = s_ink,
                LineStyle = LineStyle.Solid,
                StrokeThickness = Thin,
                Layer = AnnotationLayer.BelowSeries,
            });
        }
        foreach (var (index, reference) in _figure.References.Index()) Model.Series.Add(MarksOf(reference, index));
        foreach (var (index, series) in _figure.Series.Index()) Draw(series, index);
        if (_figure.Series.Count > 1 || _figure.References.Count > 0)
            foreach (var (index, series) in _figure.Series.Index()) AddToLegend(Key(series, index));
        if (figure.Series.Count - MostSeries is > 0 and var more) AddToLegend(Note($"and {more} lines more, not drawn", MarkerType.None));
        if (_figure.Series.Any(series => series.Style != SeriesStyle.Curve && series.Points.Any(point => !_isValid(point.Run))))
            AddToLegend(Note("hollow: energy not valid", MarkerType.Circle));
        foreach (var (index, reference) in _figure.References.Index()) AddToLegend(Key(reference, index));
        if (_figure.ReferenceScope is { } scope) AddToLegend(Note(Wrapped(scope, LegendTextWidth), MarkerType.None));
        Height = HeightWithoutLegend + (title.Count(c => c == '\n') * LineHeight) + LegendHeight();
    }

    /// <summary>What measures text, for the layout and for whoever draws it.</summary>
    public FigureText Text { get; } = new();

    public PlotModel Model { get; }

    public double Height { get; }

    private Axis YAxis()
    {
        if (_figure.SpansDecades)
        {
            var (least, most) = Decades(_points.Select(point => point.Y));
            return Styled(new AxisOfValues([.. Ticks.OfDecades(least, most, MostTicks)])
            {
                Position = AxisPosition.Left,
                Minimum = least,
                Maximum = most,
                MajorGridlineStyle = LineStyle.Solid,
                MajorGridlineColor = s_grid,
            }, _figure.YLabel);
        }
        var (low, high) = Extent(Heights().Concat(_figure.FromZero ? [0] : []));
        return Styled(new LinearAxis
        {
            Position = AxisPosition.Left,
            Minimum = low - (_figure.FromZero && low == 0 ? 0 : 0.05 * (high - low)),
            Maximum = high + ((_figure.Bands.Count > 0 ? 0.15 : 0.05) * (high - low)), // names stand at the top of bands
            IntervalLength = 20 * Point,
            MajorGridlineStyle = LineStyle.Solid,
            MajorGridlineColor = s_grid,
        }, _figure.YLabel);
    }

    /// <summary>Of all that is drawn: of bars, where they end on those below them.</summary>
    private IEnumerable<double> Heights() => _figure.Series is [{ Style: SeriesStyle.Stacked }, ..]
        ? _figure.Series.SelectMany(series => series.Means(_isValid)).GroupBy(bar => bar.X).Select(bar => bar.Sum(part => part.Y))
        : _points.Select(point => point.Y);

    private Axis XAxis()
    {
        if (_figure.XNames.Count > 0)
        {
            return Styled(new AxisOfNames(_figure.XNames) { Position = AxisPosition.Bottom }, _figure.XLabel,
                AxisOfNames.Text(_figure.XNames));
        }
        if (_figure.SpansDecades)
        {
            var (least, most) = Decades(_points.Select(point => point.X));
            return Styled(new AxisOfValues(Apart(Ticks.OfDecades(least, most, MostTicks), Math.Log2(most / least)))
            {
                Position = AxisPosition.Bottom,
                Minimum = least,
                Maximum = most,
            }, _figure.XLabel);
        }
        var (low, high) = Extent(_points.Select(point => _figure.LogX ? Math.Log2(point.X) : point.X));
        var (from, to) = (low - 0.04 * (high - low), high + 0.04 * (high - low));
        Axis axis = _figure.LogX
            ? new AxisOfValues(Apart(Ticks.OfValues(_points.Select(point => point.X), MostTicks), high - low))
            : new LinearAxis { IntervalLength = 28 * Point };
        axis.Position = AxisPosition.Bottom;
        (axis.Minimum, axis.Maximum) = _figure.LogX ? (Math.Pow(2, from), Math.Pow(2, to)) : (from, to);
        return Styled(axis, _figure.XLabel);
    }

    private static T Styled<T>(T axis, string title) where T : Axis => Styled(axis, title, Ticks.Text);

    private static T Styled<T>(T axis, string title, Func<double, string> label) where T : Axis
    {
        axis.Title = Printable(title);
        axis.LabelFormatter = label;
        axis.TicklineColor = s_ink;
        axis.MajorTickSize = 3 * Point;
        axis.MajorGridlineThickness = Thin; // of ticks, too
        axis.MinorTickSize = 0;
        axis.AxisTickToLabelDistance = Point;
        axis.AxisTitleDistance = 4 * Point;
        return axis;
    }

    private void Draw(FigureSeries series, int index)
    {
        if (series.Style == SeriesStyle.Stacked)
        {
            Stack(series, index);
            return;
        }
        IEnumerable<(double X, double Y)> line = series.Style switch
        {
            SeriesStyle.Means => series.Means(_isValid),
            SeriesStyle.Curve => series.Points.Select(point => (point.X, point.Y)),
            _ => [],
        };
        var drawn = LineOf(series, index);
        drawn.Points.AddRange(line.Select(point => new DataPoint(point.X, point.Y)));
        Model.Series.Add(drawn);
        if (series.Style == SeriesStyle.Curve) return;
        foreach (var alike in series.Points.GroupBy(point => _isValid(point.Run)))
        {
            var marks = new MarkSeries
            {
                MarkerType = MarkOf(index).Type,
                MarkerSize = MarkOf(index).Size,
                MarkerStroke = ColourOf(index),
                MarkerStrokeThickness = Line,
                MarkerFill = alike.Key ? ColourOf(index) : OxyColors.White,
            };
            marks.Points.AddRange(alike.Select(point => new ScatterPoint(point.X, point.Y)));
            Model.Series.Add(marks);
        }
    }

    /// <summary>A part of each bar, hollow where none of its runs is valid.</summary>
    private void Stack(FigureSeries series, int index)
    {
        const double HalfWidth = 0.35;
        var below = _figure.Series.Take(index).SelectMany(one => one.Means(_isValid)).ToLookup(part => part.X, part => part.Y);
        foreach (var alike in series.Means(_isValid).GroupBy(part => series.Points.Any(point => point.X == part.X && _isValid(point.Run))))
        {
            var bars = new RectangleBarSeries
            {
                FillColor = alike.Key ? ColourOf(index) : OxyColors.White,
                StrokeColor = alike.Key ? OxyColors.White : ColourOf(index),
                StrokeThickness = alike.Key ? Thin : Line,
            };
            foreach (var (x, height) in alike)
                bars.Items.Add(new(x - HalfWidth, below[x].Sum(), x + HalfWidth, below[x].Sum() + height));
            Model.Series.Add(bars);
        }
    }

    /// <summary>Of published figures: hollow and grey, without a line.</summary>
    private static MarkSeries MarksOf(ReferenceSeries reference, int index)
    {
        var marks = new MarkSeries
        {
            MarkerType = MarkOf(index).Type,
            MarkerSize = ReferenceSize * MarkOf(index).Size,
            MarkerStroke = s_quiet,
            MarkerStrokeThickness = Thin,
            MarkerFill = OxyColors.White,
        };
        marks.Points.AddRange(reference.Points.Select(point => new ScatterPoint(point.X, point.Y)));
        return marks;
    }

    private LineSeries Key(ReferenceSeries reference, int index) => new()
    {
        Title = Wrapped(reference.Label, LegendTextWidth),
        Color = OxyColors.Transparent,
        MarkerType = MarkOf(index).Type,
        MarkerSize = ReferenceSize * MarkOf(index).Size,
        MarkerFill = OxyColors.White,
        MarkerStroke = s_quiet,
        MarkerStrokeThickness = Thin,
    };

    /// <summary>A series without points, which the legend alone shows.</summary>
    private LineSeries Key(FigureSeries series, int index)
    {
        var key = LineOf(series, index);
        key.Title = Wrapped(series.Label.Length > 0 ? series.Label : "these runs", LegendTextWidth);
        if (series.Style is SeriesStyle.Marks or SeriesStyle.Stacked) key.Color = OxyColors.Transparent;
        if (series.Style == SeriesStyle.Curve) return key;
        (key.MarkerType, key.MarkerSize) = series.Style == SeriesStyle.Stacked ? s_block : MarkOf(index);
        (key.MarkerFill, key.MarkerStroke, key.MarkerStrokeThickness) = (ColourOf(index), ColourOf(index), Line);
        return key;
    }

    private static LineSeries Note(string text, MarkerType mark) => new()
    {
        Title = text,
        Color = OxyColors.Transparent,
        MarkerType = mark,
        MarkerSize = s_marks[0].Size,
        MarkerFill = OxyColors.White,
        MarkerStroke = s_ink,
        MarkerStrokeThickness = Line,
    };

    private void AddToLegend(LineSeries key)
    {
        Model.IsLegendVisible = true;
        Model.Series.Add(key);
    }

    private double LegendHeight()
    {
        if (!Model.IsLegendVisible) return 0;
        var legend = new Legend
        {
            LegendPlacement = LegendPlacement.Outside,
            LegendPosition = LegendPosition.BottomLeft,
            LegendOrientation = LegendOrientation.Vertical,
            AllowUseFullExtent = true,
            LegendPadding = 0,
            LegendMargin = Margin,
            LegendLineSpacing = Point,
            LegendSymbolLength = 20 * Point,
        };
        Model.Legends.Add(legend);
        ((IPlotModel)Model).Update(true);
        return legend.GetLegendSize(Text, new(Width, double.MaxValue)).Height + 2 * Margin;
    }

    /// <summary>Lines without marks differ from their neighbours in dashes as well, so that they can be told apart in grey.</summary>
    private static LineSeries LineOf(FigureSeries series, int index) => new()
    {
        Color = ColourOf(index),
        Dashes = s_dashes[(series.Style == SeriesStyle.Curve ? index : index / s_colours.Length) % s_dashes.Length],
        StrokeThickness = Line,
        LineJoin = LineJoin.Round,
        MinimumSegmentLength = 0, // OxyPlot leaves out points that lie close together otherwise
    };

    private static OxyColor ColourOf(int index) => s_colours[index % s_colours.Length];

    private static (MarkerType Type, double Size) MarkOf(int index) => s_marks[index % s_marks.Length];

    /// <summary>An axis needs a length, also where all values are one.</summary>
    private static (double Low, double High) Extent(IEnumerable<double> values)
    {
        var all = values.ToList();
        var (low, high) = (all.Min(), all.Max());
        return high > low ? (low, high) : (low - 0.5, low + 0.5);
    }

    /// <summary>The same on a logarithmic axis, with a little room at both ends.</summary>
    private static (double Low, double High) Decades(IEnumerable<double> values)
    {
        var (low, high) = Extent(values.Select(Math.Log10));
        return (Math.Pow(10, low - 0.04 * (high - low)), Math.Pow(10, high + 0.04 * (high - low)));
    }

    /// <summary>Without those whose labels would touch the label before.</summary>
    private List<double> Apart(IEnumerable<double> ticks, double doublings)
    {
        const double AxisLength = 180 * Point;
        double HalfOf(double tick) => WidthOf(Ticks.Text(tick)) / 2;
        List<double> kept = [];
        foreach (var tick in ticks)
        {
            var fits = kept.Count == 0 || Math.Log2(tick / kept[^1]) / doublings * AxisLength > HalfOf(kept[^1]) + HalfOf(tick) + 2 * Point;
            if (fits) kept.Add(tick);
        }
        return kept;
    }

    /// <summary>In as many lines as it takes, broken after spaces, commas, hyphens, slashes and underscores.</summary>
    private string Wrapped(string text, double width)
    {
        var lines = new List<string> { "" };
        foreach (var word in WordEnds().Split(Printable(text)))
        {
            var longer = lines[^1] + word;
            if (lines[^1].Length == 0 || WidthOf(longer.TrimEnd()) <= width) lines[^1] = longer;
            else lines.Add(word);
        }
        return string.Join('\n', lines.Select(line => line.TrimEnd()));
    }

    private double WidthOf(string text) => Text.MeasureText(text, Typefaces, FontSize, FontWeights.Normal).Width;

    private static string Printable(string text) => new([.. text.Where(c => XmlConvert.IsXmlChar(c) && !char.IsControl(c))]);

    [GeneratedRegex("(?<=[ ,/_-])(?! )")]
    private static partial Regex WordEnds();

    /// <summary>Logarithmic, with ticks at chosen values.</summary>
    private sealed class AxisOfValues(IList<double> values) : LogarithmicAxis
    {
        public override void GetTickValues(
            out IList<double> majorLabelValues, out IList<double> majorTickValues, out IList<double> minorTickValues) =>
            (majorLabelValues, majorTickValues, minorTickValues) = (values, values, []);
    }

    /// <summary>A tick in the middle of each bar, with its name.</summary>
    private sealed class AxisOfNames : LinearAxis
    {
        private const double Beside = 0.6;

        private readonly IList<double> _ticks;

        public AxisOfNames(IReadOnlyList<string> names)
        {
            _ticks = [.. Enumerable.Range(0, names.Count).Select(at => (double)at)];
            (Minimum, Maximum) = (-Beside, names.Count - 1 + Beside);
        }

        public static Func<double, string> Text(IReadOnlyList<string> names) => at =>
            at >= 0 && at < names.Count ? Printable(names[(int)at]) : "";

        public override void GetTickValues(
            out IList<double> majorLabelValues, out IList<double> majorTickValues, out IList<double> minorTickValues) =>
            (majorLabelValues, majorTickValues, minorTickValues) = (_ticks, _ticks, []);
    }

    /// <summary>Marks at the end of an axis are whole.</summary>
    private sealed class MarkSeries : ScatterSeries
    {
        public override OxyRect GetClippingRect() => OxyRect.Everything;
    }

    /// <summary>A stretch of the x-axis, named at its top where it is wide enough for its name.</summary>
    private sealed class NamedStretch : RectangleAnnotation
    {
        private readonly string _name;
        private readonly Axis _axis;

        /// <param name="top">Of the y-axis.</param>
        public NamedStretch(string name, Axis axis, double from, double to, double top)
        {
            (_name, _axis) = (name, axis);
            (MinimumX, MaximumX) = (from, to);
            Layer = AnnotationLayer.BelowAxes;
            TextPosition = new((from + to) / 2, top);
            TextVerticalAlignment = VerticalAlignment.Top;
            TextHorizontalAlignment = HorizontalAlignment.Center;
            TextColor = s_ink;
        }

        public override void Render(IRenderContext rc)
        {
            var room = _axis.Transform(MaximumX) - _axis.Transform(MinimumX);
            Text = rc.MeasureText(_name, ActualFont, ActualFontSize, ActualFontWeight).Width <= room ? _name : null;
            base.Render(rc);
        }
    }
}
