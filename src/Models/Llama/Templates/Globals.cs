using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Templates;

/// <summary>The functions that templates find: jinja2's, and the two that transformers adds.</summary>
internal static class Globals
{
    /// <summary>As many as jinja2's sandbox makes.</summary>
    private const long MostNumbers = 100_000;

    /// <summary>
    /// What <c>strftime_now</c> takes for today, so that a prompt is the same on every day. It is the date that Llama 3.1's and 3.2's
    /// templates take where they are told of none.
    /// </summary>
    public static readonly DateOnly Today = new(2024, 7, 26);

    /// <param name="frame">Gets them.</param>
    public static void Add(Frame frame)
    {
        foreach (var one in new Callable[]
        {
            new("range", Range),
            new("dict", given => Map(given)),
            new("namespace", given => new NamespaceValue(Map(given))),
            new("raise_exception", given => throw new TemplateRefusal(Values.Text(given.Bind(1, "message")[0], given.Budget))),
            new("strftime_now", given => Date(given.Text(given.Bind(1, "format")[0]))),
        }) frame.Set(one.Name, one);
    }

    private static List<object?> Range(Arguments given)
    {
        var bound = given.Bind(1, "start", "stop", "step").Where(one => one != null).Select(given.Whole).ToArray();
        var (start, stop, step) = bound switch
        {
            [var end] => (0L, end, 1L),
            [var begin, var end] => (begin, end, 1L),
            _ => (bound[0], bound[1], bound[2]),
        };
        if (step == 0) throw new TemplateFault("the step of 'range' is 0");
        var count = Math.Max(0, Math.Ceiling(((double)stop - start) / step));
        if (count > MostNumbers) throw new TemplateFault($"'range' makes {count:R} numbers, more than {MostNumbers}");
        given.Budget.Spend((long)count);
        return [.. Enumerable.Range(0, (int)count).Select(i => (object?)(start + i * step))];
    }

    private static OrderedDictionary<string, object?> Map(Arguments given)
    {
        var map = new OrderedDictionary<string, object?>();
        foreach (var one in given.Positional)
            foreach (var (key, value) in one as OrderedDictionary<string, object?>
                ?? throw new TemplateFault($"a mapping is made of {Values.Kind(one)}, which is not supported")) map[key] = value;
        foreach (var (key, value) in given.Named) map[key] = value;
        return map;
    }

    /// <summary><see cref="Today"/> at midnight, by the letters of strftime, in the C locale.</summary>
    private static string Date(string format)
    {
        var text = new StringBuilder();
        for (var i = 0; i < format.Length; i++)
        {
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }
            var letter = ++i < format.Length ? format[i] : '\0';
            var plain = letter == '-' && ++i < format.Length;
            if (plain) letter = format[i];
            var written = letter switch
            {
                'd' => Today.ToString("dd", CultureInfo.InvariantCulture),
                'm' => Today.ToString("MM", CultureInfo.InvariantCulture),
                'b' => Today.ToString("MMM", CultureInfo.InvariantCulture),
                'B' => Today.ToString("MMMM", CultureInfo.InvariantCulture),
                'a' => Today.ToString("ddd", CultureInfo.InvariantCulture),
                'A' => Today.ToString("dddd", CultureInfo.InvariantCulture),
                'Y' => Today.ToString("yyyy", CultureInfo.InvariantCulture),
                'y' => Today.ToString("yy", CultureInfo.InvariantCulture),
                'j' => Today.DayOfYear.ToString("000", CultureInfo.InvariantCulture),
                'F' => Today.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
                'H' or 'M' or 'S' => "00",
                'I' => "12",
                'p' => "AM",
                '%' => "%",
                _ => throw new TemplateFault($"'%{letter}' of strftime_now is not supported"),
            };
            text.Append(plain && written.TrimStart('0') is { Length: > 0 } short_ ? short_ : written);
        }
        return text.ToString();
    }
}

/// <summary>raise_exception: the template's own objection to the messages.</summary>
internal sealed class TemplateRefusal(string message) : Exception(message);
