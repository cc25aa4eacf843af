using System.Buffers;
using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Templates;

/// <summary>Text as Python's str has it: of code points, with its own white space, and written as repr does.</summary>
internal static class PythonText
{
    /// <summary>What str.isspace is true of.</summary>
    public static readonly SearchValues<char> Spaces =
        SearchValues.Create([.. Enumerable.Range(0, char.MaxValue + 1).Select(code => (char)code).Where(IsSpace)]);

    private static readonly SearchValues<char> s_lineEnds = SearchValues.Create("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029");

    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    public static string TrimEnd(string text) => text[..(text.AsSpan().LastIndexOfAnyExcept(Spaces) + 1)];

    public static string TrimStart(string text) => text.AsSpan().IndexOfAnyExcept(Spaces) is >= 0 and var at ? text[at..] : "";

    public static string Trim(string text) => TrimStart(TrimEnd(text));

    /// <summary>Code points; a lone surrogate counts as one.</summary>
    public static int Length(string text)
    {
        var pairs = 0;
        for (var i = 0; i + 1 < text.Length; i++)
            if (char.IsSurrogatePair(text[i], text[i + 1])) (pairs, i) = (pairs + 1, i + 1);
        return text.Length - pairs;
    }

    /// <summary>Each code point as a text of its own.</summary>
    public static List<string> Characters(string text)
    {
        var all = new List<string>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var pair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            all.Add(pair ? text.Substring(i++, 2) : text[i].ToString());
        }
        return all;
    }

    /// <summary>By white space, without empty parts; behind the last of <paramref name="most"/> cuts the rest stands whole.</summary>
    public static List<string> Words(string text, long most)
    {
        var words = new List<string>();
        var at = 0;
        while (Skip(at) is var begin && begin < text.Length)
        {
            var length = words.Count == most ? -1 : text.AsSpan(begin).IndexOfAny(Spaces);
            at = length < 0 ? text.Length : begin + length;
            words.Add(text[begin..at]);
        }
        return words;

        int Skip(int from) => text.AsSpan(from).IndexOfAnyExcept(Spaces) is >= 0 and var spaces ? from + spaces : text.Length;
    }

    /// <summary>Lines without what ends them, as str.splitlines.</summary>
    public static List<string> Lines(string text)
    {
        var lines = new List<string>();
        for (var at = 0; at < text.Length;)
        {
            var length = text.AsSpan(at).IndexOfAny(s_lineEnds);
            lines.Add(length < 0 ? text[at..] : text.Substring(at, length));
            if (length < 0) break;
            at += length + (string.CompareOrdinal(text, at + length, "\r\n", 0, 2) == 0 ? 2 : 1);
        }
        return lines;
    }

    public static string Capitalized(string text) =>
        text.Length == 0 ? "" : text[..1].ToUpperInvariant() + text[1..].ToLowerInvariant();

    /// <summary>Letters behind a letter small, others large, as str.title.</summary>
    public static string Titled(string text)
    {
        var titled = new StringBuilder(text.Length);
        var inWord = false;
        foreach (var c in text)
        {
            titled.Append(inWord ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inWord = char.IsLetter(c);
        }
        return titled.ToString();
    }

    public static string Repr(string text)
    {
        var quote = text.Contains('\'') && !text.Contains('"') ? '"' : '\'';
        var written = new StringBuilder(text.Length + 2).Append(quote);
        foreach (var character in Characters(text))
            written.Append(character switch
            {
                "\\" => "\\\\",
                "\n" => "\\n",
                "\r" => "\\r",
                "\t" => "\\t",
                _ when character[0] == quote => $"\\{quote}",
                _ => IsPrintable(character) ? character : Code(character),
            });
        return written.Append(quote).ToString();
    }

    private static bool IsPrintable(string character) => character == " " || CharUnicodeInfo.GetUnicodeCategory(character, 0)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.SpaceSeparator);

    private static string Code(string character)
    {
        var code = character.Length == 2 ? char.ConvertToUtf32(character, 0) : character[0];
        return code < 0x100 ? $"\\x{code:x2}" : code < 0x10000 ? $"\\u{code:x4}" : $"\\U{code:x8}";
    }

    /// <summary>The shortest digits that give the number back, with an exponent where Python writes one.</summary>
    public static string Of(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        var shortest = Math.Abs(number).ToString("E16", CultureInfo.InvariantCulture);
        for (var digits = 0; digits < 17; digits++)
        {
            shortest = Math.Abs(number).ToString($"E{digits}", CultureInfo.InvariantCulture);
            if (double.Parse(shortest, CultureInfo.InvariantCulture) == Math.Abs(number)) break;
        }
        var parts = shortest.Split('E');
        var exponent = int.Parse(parts[1], CultureInfo.InvariantCulture);
        var sign = double.IsNegative(number) ? "-" : "";
        var mantissa = parts[0].Replace(".", "", StringComparison.Ordinal);
        if (exponent is < -4 or >= 16)
            return $"{sign}{parts[0]}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        if (exponent < 0) return $"{sign}0.{new string('0', -exponent - 1)}{mantissa}";
        return mantissa.Length <= exponent + 1 ? $"{sign}{mantissa.PadRight(exponent + 1, '0')}.0"
            : $"{sign}{mantissa[..(exponent + 1)]}.{mantissa[(exponent + 1)..]}";
    }
}
