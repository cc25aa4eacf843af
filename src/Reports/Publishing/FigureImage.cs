using System.Text;
using OxyPlot;
using OxyPlot.SkiaSharp;
using SkiaSharp;

namespace Harness.Reports.Publishing;

/// <summary>A figure's two file formats, the same picture in both.</summary>
internal static class FigureImage
{
    /// <summary>What journals ask for line art.</summary>
    private const int DotsPerInch = 600;

    private const float PixelsPerUnit = DotsPerInch / 96f;

    /// <summary>The chunk that gives a PNG its size on paper: 23,622 pixels per metre in both directions.</summary>
    private static readonly byte[] s_physicalSize =
        [0, 0, 0, 9, .. "pHYs"u8, 0, 0, 0x5c, 0x46, 0, 0, 0x5c, 0x46, 1, 0x14, 0x94, 0x43, 0x41];

    /// <summary>A PNG's signature and its first chunk, which others follow.</summary>
    private const int PngHeaderBytes = 8 + 25;

    /// <summary>Text is text in it, and lines are lines. No native code draws it.</summary>
    public static byte[] Svg(FigurePlot plot)
    {
        using var stream = new MemoryStream();
        using (var context = new SvgContext(stream, plot))
        {
            Draw(plot, context);
            context.Complete();
            context.Flush();
        }
        return stream.ToArray().AsSpan(Encoding.UTF8.Preamble.Length).ToArray(); // some readers stumble over a byte order mark
    }

    /// <exception cref="TypeInitializationException">The native library of SkiaSharp cannot be loaded.</exception>
    public static byte[] Png(FigurePlot plot)
    {
        var size = new SKImageInfo(Pixels(FigurePlot.Width), Pixels(plot.Height), SKColorType.Rgba8888, SKAlphaType.Opaque);
        using var surface = SKSurface.Create(size);
        surface.Canvas.Clear(SKColors.White);
        surface.Canvas.Scale(PixelsPerUnit);
        using (var context = new PngContext(plot.Text) { RenderTarget = RenderTarget.VectorGraphic, SkCanvas = surface.Canvas })
            Draw(plot, context);
        using var pixels = surface.PeekPixels();
        using var data = pixels.Encode(new SKPngEncoderOptions(SKPngEncoderFilterFlags.Sub, zLibLevel: 3));
        var png = data.AsSpan();
        return [.. png[..PngHeaderBytes], .. s_physicalSize, .. png[PngHeaderBytes..]];
    }

    private static void Draw(FigurePlot plot, IRenderContext context)
    {
        IPlotModel model = plot.Model;
        model.Update(updateData: true);
        model.Render(context, new OxyRect(0, 0, FigurePlot.Width, plot.Height));
    }

    private static int Pixels(double length) => (int)Math.Round(length * PixelsPerUnit);

    /// <summary>
    /// Places lines of text by their baseline: few readers besides browsers know the other ways. Dashes are counted in line widths,
    /// as <see cref="SkiaRenderContext"/> counts them.
    /// </summary>
    private sealed class SvgContext(Stream stream, FigurePlot plot)
        : SvgRenderContext(stream, FigurePlot.Width, plot.Height, isDocument: false, plot.Text, OxyColors.White)
    {
        public override void DrawText(ScreenPoint p, string text, OxyColor c, string? fontFamily, double fontSize, double fontWeight,
            double rotate, HorizontalAlignment halign, VerticalAlignment valign, OxySize? maxSize)
        {
            if (string.IsNullOrEmpty(text)) return;
            foreach (var (line, at) in FigureText.Lines(text, p, fontSize, rotate, valign))
                base.DrawText(at, line, c, fontFamily, fontSize, fontWeight, rotate, halign, VerticalAlignment.Bottom, null);
        }

        public override void DrawLine(IList<ScreenPoint> points, OxyColor stroke, double thickness, EdgeRenderingMode edgeRenderingMode,
            double[]? dashArray, LineJoin lineJoin)
        {
            var dashes = dashArray?.Select(dash => Math.Round(dash * thickness, 2)).ToArray();
            base.DrawLine(points, stroke, thickness, edgeRenderingMode, dashes, lineJoin);
        }
    }

    /// <summary>
    /// Text in the typeface that comes with the program: pictures are the same on every machine, and one that has no typefaces
    /// draws text, too.
    /// </summary>
    private sealed class PngContext(FigureText measure) : SkiaRenderContext, IRenderContext
    {
        private static readonly SKTypeface s_arimo = SKTypeface.FromData(SKData.CreateCopy(Resources.Bytes("Arimo_400Regular.ttf")));

        OxySize IRenderContext.MeasureText(string text, string? fontFamily, double fontSize, double fontWeight) =>
            measure.MeasureText(text, fontFamily, fontSize, fontWeight);

        void IRenderContext.DrawText(ScreenPoint p, string text, OxyColor fill, string? fontFamily, double fontSize, double fontWeight,
            double rotation, HorizontalAlignment horizontalAlignment, VerticalAlignment verticalAlignment, OxySize? maxSize)
        {
            if (string.IsNullOrEmpty(text)) return;
            using var paint = new SKPaint
            {
                Typeface = s_arimo,
                TextSize = (float)fontSize,
                FakeBoldText = fontWeight >= FontWeights.Bold,
                Color = fill.ToSKColor(),
                IsAntialias = true,
                SubpixelText = true,
                TextAlign = horizontalAlignment switch
                {
                    HorizontalAlignment.Left => SKTextAlign.Left,
                    HorizontalAlignment.Center => SKTextAlign.Center,
                    _ => SKTextAlign.Right,
                },
            };
            foreach (var (line, at) in FigureText.Lines(text, p, fontSize, rotation, verticalAlignment))
            {
                using var restored = new SKAutoCanvasRestore(SkCanvas);
                SkCanvas.Translate((float)at.X, (float)at.Y);
                SkCanvas.RotateDegrees((float)rotation);
                SkCanvas.DrawText(line, 0, 0, paint);
            }
        }
    }
}
