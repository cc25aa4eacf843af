using System.Globalization;
using System.Xml.Linq;

namespace Harness.Tests.Reports.Publishing;

/// <summary>A mark in units of the SVG, 1/96 in.</summary>
internal sealed record FigureMark(string Shape, double X, double Y, string Fill, string Stroke);

/// <summary>An SVG file of a figure, read as a reader of the paper would: marks against the ticks of the axes.</summary>
internal sealed class FigureFile
{
    /// <summary>The middle of digits above their baseline, and a typeface's size, 8 points.</summary>
    private const double Middle = 0.35, FontSize = 8 * 96 / 72.0;

    private static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    private readonly XElement _root;

    public FigureFile(string path)
    {
        _root = XDocument.Load(path).Root!;
        Texts =
        [
            .. from text in _root.Descendants(s_svg + "text")
               let at = Translation(text)
               select (text.Value, at[0], at[1], (string)text.Attribute("text-anchor")!, (double)text.Attribute("font-size")!),
        ];
        YTicks = [.. Texts.Where(t => t.Anchor == "end").Select(t => (Number(t.Text), t.Y - Middle * FontSize))];
        XTicks = [.. Texts.Where(t => t.Anchor == "middle" && IsNumber(t.Text) && t.Y > YTicks[0].At).Select(t => (Number(t.Text), t.X))];
    }

    public IReadOnlyList<(string Text, double X, double Y, string Anchor, double Size)> Texts { get; }

    /// <summary>Lowest first.</summary>
    public IReadOnlyList<(double Value, double At)> YTicks { get; }

    public IReadOnlyList<(double Value, double At)> XTicks { get; }

    public (double Width, double Height) Size => ((double)_root.Attribute("width")!, (double)_root.Attribute("height")!);

    /// <summary>Within the axes, not those of the legend.</summary>
    public IEnumerable<FigureMark> Marks => AllMarks.Where(mark => mark.Y <= YTicks[0].At + 0.1);

    public IEnumerable<FigureMark> LegendMarks => AllMarks.Where(mark => mark.Y > YTicks[0].At + 0.1);

    /// <summary>Of lines in a colour, those of the legend too: the dashes of each, null of a solid one, and its points.</summary>
    public IEnumerable<(string? Dashes, (double X, double Y)[] Points)> Lines =>
        from line in _root.Descendants(s_svg + "polyline")
        let style = Style(line)
        where style["stroke"] is not ("none" or "rgb(85,85,85)" or "rgb(221,221,221)") // ink and grid
        select (style.GetValueOrDefault("stroke-dasharray"), Points(line));

    public IEnumerable<(double Left, double Right)> Stretches =>
        from rectangle in _root.Descendants(s_svg + "rect")
        where Style(rectangle).GetValueOrDefault("fill") is "rgb(236,236,236)" or "rgb(246,246,246)"
        let left = (double)rectangle.Attribute("x")!
        select (left, left + (double)rectangle.Attribute("width")!);

    /// <summary>Parts of bars: the middle, both ends on the y-axis, and how it is filled.</summary>
    public IEnumerable<(double X, double Low, double High, string Fill)> Bars =>
        from rectangle in _root.Descendants(s_svg + "rect")
        let style = Style(rectangle)
        let top = Length(rectangle, "y")
        where style.GetValueOrDefault("stroke", "none") != "none" && top < YTicks[0].At && Length(rectangle, "height") < Size.Height / 2
        select (Length(rectangle, "x") + Length(rectangle, "width") / 2, Y(top + Length(rectangle, "height")), Y(top), style["fill"]);

    public double Y(double at) => Along(YTicks, at);

    public double X(double at) => Along(XTicks, at);

    public static double Number(string text) => double.Parse(text.Replace(",", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);

    private IEnumerable<FigureMark> AllMarks =>
        from shape in _root.Descendants()
        let name = shape.Name.LocalName
        let style = Style(shape)
        where name is "ellipse" or "rect" or "polygon" && style.GetValueOrDefault("stroke", "none") != "none"
        let corners = Points(shape)
        let at = name switch
        {
            "ellipse" => (X: Length(shape, "cx"), Y: Length(shape, "cy")),
            "rect" => (X: Length(shape, "x") + Length(shape, "width") / 2, Y: Length(shape, "y") + Length(shape, "height") / 2),
            _ => (X: corners.Average(corner => corner.X), Y: corners.Average(corner => corner.Y)),
        }
        let kind = corners.Length switch { 3 => "triangle", 4 => "diamond", _ => name }
        select new FigureMark(kind, at.X, at.Y, style["fill"], style["stroke"]);

    private static double Along(IReadOnlyList<(double Value, double At)> ticks, double at) =>
        ticks[0].Value + (at - ticks[0].At) / (ticks[^1].At - ticks[0].At) * (ticks[^1].Value - ticks[0].Value);

    private static double Length(XElement element, string attribute) => (double)element.Attribute(attribute)!;

    private static (double X, double Y)[] Points(XElement element) =>
        [.. Parts(element, "points", ' ').Select(point => point.Split(',')).Select(xy => (Number(xy[0]), Number(xy[1])))];

    private static Dictionary<string, string> Style(XElement element) =>
        Parts(element, "style", ';').Select(pair => pair.Split(':')).ToDictionary(pair => pair[0], pair => pair[1]);

    private static double[] Translation(XElement element) => [.. Parts(element, "transform", '(', ',', ')').Skip(1).Take(2).Select(Number)];

    private static string[] Parts(XElement element, string attribute, params char[] between) =>
        ((string?)element.Attribute(attribute) ?? "").Split(between, StringSplitOptions.RemoveEmptyEntries);

    private static bool IsNumber(string text) => double.TryParse(text, CultureInfo.InvariantCulture, out _);
}
