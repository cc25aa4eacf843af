using System.Globalization;
using System.Text;

namespace Harness.Common;

/// <summary>
/// Text from outside as a terminal, a log or a table may have it: what would act on them is shown and has no effect. Control characters
/// (C0, DEL, C1), marks that turn the direction of writing or cannot be seen, line separators and halves of surrogate pairs become the
/// escapes of JSON (<c>\u001b</c>, <c>\n</c>, beyond U+FFFF <c>\U000e0041</c>). The two joiners stay: scripts and emoji need them.
/// </summary>
public static class VisibleText
{
    private const int ZeroWidthNonJoiner = 0x200C, ZeroWidthJoiner = 0x200D;

    public static string Of(string text)
    {
        StringBuilder? shown = null;
        for (var at = 0; at < text.Length;)
        {
            var isWhole = Rune.TryGetRuneAt(text, at, out var rune);
            var length = isWhole ? rune.Utf16SequenceLength : 1;
            if (!isWhole || Acts(rune))
            {
                shown ??= new StringBuilder(text, 0, at, text.Length + 16);
                shown.Append(Escape(isWhole ? rune.Value : text[at]));
            }
            else shown?.Append(text, at, length);
            at += length;
        }
        return shown?.ToString() ?? text;
    }

    /// <summary>The same for text of several lines, whose ends are the program's own.</summary>
    public static string OfLines(string text) => text.Contains(Environment.NewLine, StringComparison.Ordinal)
        ? string.Join(Environment.NewLine, text.Split(Environment.NewLine).Select(Of))
        : Of(text);

    private static bool Acts(Rune rune) => rune.Value is not (ZeroWidthNonJoiner or ZeroWidthJoiner)
        && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    private static string Escape(int value) => value switch
    {
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        > 0xFFFF => string.Create(CultureInfo.InvariantCulture, $"\\U{value:x8}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"\\u{value:x4}"),
    };
}
