using OxyPlot;

namespace Harness.Reports.Publishing;

/// <summary>
/// How large text is in a figure and where its lines stand, the same in every format and on every machine, whatever typefaces
/// it has: from the metrics of Arial that OxyPlot has for PDF files. One thread at a time may use it.
/// </summary>
internal sealed class FigureText : PdfRenderContext
{
    /// <summary>PDF counts in points, OxyPlot elsewhere in 1/96 in.</summary>
    private const double UnitsPerPoint = 96 / 72.0;

    /// <summary>A reader without Arial may have a wider typeface: DejaVu Sans by 15 %. Nothing shall be cut there.</summary>
    private const double Slack = 1.15;

    /// <summary>In font sizes: from line to line, and from the top of a line to where its letters stand.</summary>
    private const double LineHeight = 1.1, Baseline = 0.9;

    public FigureText() : base(1, 1, OxyColors.White) // it draws nothing, on nothing
    {
    }

    public override OxySize MeasureText(string text, string? fontFamily, double fontSize, double fontWeight)
    {
        if (string.IsNullOrEmpty(text)) return OxySize.Empty;
        // What is beyond Latin-1 has no width there, and counts as a digit does.
        var lines = text.Split('\n').Select(line => string.Concat(line.Select(c => c < 256 ? c : '0'))).ToList();
        var points = lines.Max(line => base.MeasureText(line, fontFamily, fontSize, fontWeight).Width);
        return new(UnitsPerPoint * Slack * points, lines.Count * LineHeight * fontSize);
    }

    /// <summary>Each line, and the point of its baseline that stands for the whole text's point <paramref name="at"/>.</summary>
    /// <param name="rotation">Degrees, clockwise.</param>
    public static IEnumerable<(string Line, ScreenPoint At)> Lines(
        string text, ScreenPoint at, double fontSize, double rotation, VerticalAlignment alignment)
    {
        var lines = text.Split('\n');
        var above = alignment switch { VerticalAlignment.Top => 0, VerticalAlignment.Middle => lines.Length / 2.0, _ => lines.Length };
        var (sin, cos) = Math.SinCos(rotation * Math.PI / 180);
        return lines.Select((line, index) =>
        {
            var down = ((index - above) * LineHeight + Baseline) * fontSize;
            return (line, new ScreenPoint(at.X - sin * down, at.Y + cos * down));
        });
    }
}
