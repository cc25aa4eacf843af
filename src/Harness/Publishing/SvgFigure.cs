using System.Globalization;
using System.Xml.Linq;

namespace Harness.Publishing;

/// <summary>
/// A figure as an SVG file for one column of a two-column paper: 3.4 in wide, text of 8 points, colours that colour-blind
/// readers can tell apart (Okabe and Ito 2008), and marks and dashes that tell lines apart in grey. Invalid runs are hollow.
/// </summary>
internal sealed class SvgFigure
{
    private const double Width = 245, PlotHeight = 135, Left = 44, Right = 8, Top = 20, Bottom = 32, LineHeight = 11; // points: 1/72 in
    private const double FontSize = 8;

    /// <summary>More cannot be told apart in a figure of this size; a report of fewer runs draws the others.</summary>
    private const int MostSeries = 14;

    private static readonly XNamespace Svg = "http://www.w3.org/2000/svg";
    private static readonly string[] Colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
    private static readonly string[] Dashes = ["", "5 2", "1.5 1.5", "6 2 1.5 2"];

    private readonly Figure _figure;
    private readonly Func<int, bool> _isValid;
    private readonly int _left;
    private readonly double[] _xTicks, _yTicks;
    private readonly (double Low, double High) _x;

    private SvgFigure(Figure all, Func<int, bool> isValid)
    {
        var figure = all with { Series = [.. all.Series.Take(MostSeries)] };
        _left = all.Series.Count - figure.Series.Count;
        (_figure, _isValid) = (figure, figure.ShowsEnergy ? isValid : _ => true);
        var points = figure.Series.SelectMany(series => series.Points).ToList();
        var (low, high) = (points.Min(p => p.X), points.Max(p => p.X));
        _xTicks = figure.LogX ? Ticks.OfValues(points.Select(p => p.X), 8) : Ticks.Linear(low, high, 5);
        _xTicks = [.. _xTicks.Where(tick => tick >= low && tick <= high)];
        _x = (low, high);
        _yTicks = Ticks.Linear(figure.FromZero ? Math.Min(0, points.Min(p => p.Y)) : points.Min(p => p.Y), points.Max(p => p.Y) * (figure.Bands.Count > 0 ? 1.12 : 1), 5);
    }

    /// <param name="isValid">Of a run, by its index.</param>
    public static XDocument Of(Figure figure, Func<int, bool> isValid) => new(new SvgFigure(figure, isValid).Draw());

    private XElement Draw()
    {
        var legend = _figure.Series.Count > 1 ? _figure.Series.Count + (_left > 0 ? 1 : 0) : 0;
        var height = Top + PlotHeight + Bottom + legend * LineHeight;
        return new XElement(Svg + "svg",
            new XAttribute("width", $"{Number(Width)}pt"), new XAttribute("height", $"{Number(height)}pt"), new XAttribute("viewBox", $"0 0 {Number(Width)} {Number(height)}"),
            new XAttribute("font-family", "Helvetica, Arial, 'Liberation Sans', sans-serif"), new XAttribute("font-size", FontSize),
            new XElement(Svg + "title", _figure.Title),
            Element("rect", ("width", Width), ("height", height), ("fill", "white")),
            Text(_figure.Title, Left, 11, "start", ("font-weight", "bold")),
            Bands(), Axes(), _figure.Series.Index().Select(s => Line(s.Item, s.Index)), legend > 0 ? _figure.Series.Index().Select(s => Legend(s.Item, s.Index)) : null,
            _left > 0 ? Text($"and {_left} lines more, not drawn", Left, height - 4, "start", ("font-style", "italic")) : null);
    }

    private IEnumerable<XElement> Bands()
    {
        foreach (var (index, (name, from, to)) in _figure.Bands.Index())
        {
            var (start, end) = (X(Math.Max(from, _x.Low)), X(Math.Min(to, _x.High)));
            yield return Element("rect", ("x", start), ("y", Top), ("width", Math.Max(0, end - start)), ("height", PlotHeight), ("fill", index % 2 == 0 ? "#ECECEC" : "#F6F6F6"));
            if (end - start > 4 * name.Length) yield return Text(name, (start + end) / 2, Top + FontSize, "middle", ("font-size", 7.0), ("fill", "#555555"));
        }
    }

    private IEnumerable<XElement> Axes()
    {
        foreach (var tick in _yTicks)
        {
            yield return Element("line", ("x1", Left), ("x2", Width - Right), ("y1", Y(tick)), ("y2", Y(tick)), ("stroke", tick == 0 ? "#555555" : "#DDDDDD"), ("stroke-width", 0.5));
            yield return Text(Ticks.Text(tick), Left - 4, Y(tick) + FontSize * 0.35, "end");
        }
        foreach (var tick in _xTicks)
        {
            yield return Element("line", ("x1", X(tick)), ("x2", X(tick)), ("y1", Top + PlotHeight), ("y2", Top + PlotHeight + 3), ("stroke", "#555555"), ("stroke-width", 0.5));
            yield return Text(Ticks.Text(tick), X(tick), Top + PlotHeight + 12, "middle");
        }
        yield return Text(_figure.XLabel, (Left + Width - Right) / 2, Top + PlotHeight + 25, "middle");
        yield return Text(_figure.YLabel, 0, 0, "middle", ("transform", $"translate(9 {Number(Top + PlotHeight / 2)}) rotate(-90)"));
    }

    private XElement Line(FigureSeries series, int index)
    {
        List<(double X, double Y)> line = series.Style switch
        {
            SeriesStyle.Means => [.. series.Means(_isValid)],
            SeriesStyle.Curve => [.. series.Points.Select(p => (p.X, p.Y))],
            _ => [],
        };
        var marks = series.Style == SeriesStyle.Curve ? [] : series.Points.Select(p => Mark(index, X(p.X), Y(p.Y), _isValid(p.Run)));
        return new XElement(Svg + "g", new XAttribute("data-series", series.Label),
            line.Count > 1 ? Element("polyline", ("points", string.Join(' ', line.Select(p => $"{Number(X(p.X))},{Number(Y(p.Y))}"))), ("fill", "none"),
                ("stroke", Colour(index)), ("stroke-width", 1), ("stroke-dasharray", Dash(index)), ("stroke-linejoin", "round")) : null,
            marks);
    }

    private IEnumerable<XElement> Legend(FigureSeries series, int index)
    {
        var y = Top + PlotHeight + Bottom + index * LineHeight + 4;
        if (series.Style != SeriesStyle.Marks) yield return Element("line", ("x1", Left), ("x2", Left + 20), ("y1", y), ("y2", y), ("stroke", Colour(index)), ("stroke-width", 1), ("stroke-dasharray", Dash(index)));
        if (series.Style != SeriesStyle.Curve) yield return Mark(index, Left + 10, y, true);
        yield return Text(series.Label, Left + 25, y + FontSize * 0.35, "start");
    }

    /// <summary>Circle, square, triangle, diamond.</summary>
    private static XElement Mark(int index, double x, double y, bool filled)
    {
        var shape = (index % 4) switch
        {
            0 => "M-2.3,0a2.3,2.3 0 1,0 4.6,0a2.3,2.3 0 1,0 -4.6,0z",
            1 => "M-2.1,-2.1h4.2v4.2h-4.2z",
            2 => "M0,-2.8L2.6,1.9L-2.6,1.9z",
            _ => "M0,-3L3,0L0,3L-3,0z",
        };
        return Element("path", ("d", shape), ("transform", $"translate({Number(x)} {Number(y)})"), ("stroke", Colour(index)), ("stroke-width", 1), ("fill", filled ? Colour(index) : "white"));
    }

    private double X(double value)
    {
        double Scaled(double v) => _figure.LogX ? Math.Log2(v) : v;
        var (low, high) = (Scaled(_x.Low), Scaled(_x.High));
        return Left + 8 + (high > low ? (Scaled(value) - low) / (high - low) : 0.5) * (Width - Left - Right - 16);
    }

    private double Y(double value) => Top + PlotHeight * (1 - (value - _yTicks[0]) / (_yTicks[^1] - _yTicks[0]));

    private static string Colour(int index) => Colours[index % Colours.Length];

    private static string Dash(int index) => Dashes[index / Colours.Length % Dashes.Length];

    private static XElement Text(string text, double x, double y, string anchor, params (string Name, object Value)[] more)
    {
        var element = Element("text", [("x", x), ("y", y), ("text-anchor", anchor), .. more]);
        element.Value = new string([.. text.Where(System.Xml.XmlConvert.IsXmlChar)]);
        return element;
    }

    private static XElement Element(string name, params (string Name, object Value)[] attributes) =>
        new(Svg + name, attributes.Select(a => new XAttribute(a.Name, a.Value is double number ? Number(number) : a.Value)));

    private static string Number(double value) => Math.Round(value, 2).ToString(CultureInfo.InvariantCulture);
}
