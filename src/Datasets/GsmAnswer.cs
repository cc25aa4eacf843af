using System.Globalization;
using System.Text.RegularExpressions;

namespace Harness.Datasets;

/// <summary>
/// The final answer of a response in GSM8K's form, and whether it is right. The number after the first <c>####</c> counts,
/// the last number where there is no marker (as in the "flexible" extraction of the LM evaluation harness). What follows a
/// further <c>Question:</c> does not count: a base model goes on to invent questions with answers of their own.
/// </summary>
public static partial class GsmAnswer
{
    private const string Marker = "####";

    /// <summary>Whether a response gives the reference's number; null where there is no reference.</summary>
    public static bool? Judge(string? reference, string response)
    {
        if (reference == null || Value(reference) is not { } expected) return null;
        var further = response.IndexOf("Question:", StringComparison.Ordinal);
        var own = further >= 0 ? response[..further] : response;
        var answer = Marked(own) ?? LastNumber(own);
        return answer != null && Value(answer) == expected;
    }

    /// <summary>The number that follows the first <c>####</c> on its line, as written; null where there is none.</summary>
    public static string? Marked(string text)
    {
        var marker = text.IndexOf(Marker, StringComparison.Ordinal);
        if (marker < 0) return null;
        var line = text[(marker + Marker.Length)..].Split('\n')[0];
        return Number().Match(line) is { Success: true, Value: var number } ? number : null;
    }

    /// <summary>The number if a text is nothing but one number, with its sign, currency, separators and percent sign.</summary>
    public static string? Whole(string text)
    {
        var match = Number().Match(text);
        return match.Success && text.Remove(match.Index, match.Length).All(c => char.IsWhiteSpace(c) || c is '%' or '.')
            ? match.Value
            : null;
    }

    private static string? LastNumber(string text)
    {
        var matches = Number().Matches(text);
        return matches.Count > 0 ? matches[^1].Value : null;
    }

    /// <summary>Commas, currency signs and trailing zeros do not matter: "$1,234.50" is 1234.5, "-$3" is -3, "1/2" is 0.5.</summary>
    private static decimal? Value(string number)
    {
        var plain = Decoration().Replace(number, "").Replace('\u2212', '-');
        var parts = plain.Split('/');
        const NumberStyles style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (!decimal.TryParse(parts[0], style, CultureInfo.InvariantCulture, out var value)) return null;
        if (parts.Length == 1) return value;
        return decimal.TryParse(parts[1], style, CultureInfo.InvariantCulture, out var divisor) && divisor != 0
            ? value / divisor
            : null;
    }

    // A hyphen after a word, a digit or a bracket is a minus between two numbers or a dash, not a sign.
    [GeneratedRegex("""
        (?: (?<![\w)\]]) [-\u2212] )?
        (?: [$€£¥₹] \s? [-\u2212]? )?
        (?: \d{1,3} (?:,\d{3})+ (?!\d) | \d+ ) (?:\.\d+)?
        (?: \s? / \s? \d+ )?
        | (?<![\d.]) \.\d+
        """, RegexOptions.IgnorePatternWhitespace)]
    private static partial Regex Number();

    [GeneratedRegex(@"[\s,$€£¥₹]")]
    private static partial Regex Decoration();
}
