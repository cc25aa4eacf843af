using System.Globalization;

namespace Harness.Models.Llama.Templates;

/// <summary>Items, attributes and methods, as jinja2's sandbox finds them: nothing changes a value.</summary>
internal static class Members
{
    private static readonly Dictionary<string, Func<string, Arguments, object?>> s_text = new(StringComparer.Ordinal)
    {
        ["strip"] = (text, given) => Filters.Strip(text, given, "both"),
        ["lstrip"] = (text, given) => Filters.Strip(text, given, "left"),
        ["rstrip"] = (text, given) => Filters.Strip(text, given, "right"),
        ["split"] = Split,
        ["rsplit"] = SplitFromRight,
        ["splitlines"] = (text, given) => Nothing(given, (List<object?>)[.. PythonText.Lines(text)]),
        ["startswith"] = (text, given) => Affixes(given).Exists(affix => text.StartsWith(affix, StringComparison.Ordinal)),
        ["endswith"] = (text, given) => Affixes(given).Exists(affix => text.EndsWith(affix, StringComparison.Ordinal)),
        ["removeprefix"] = (text, given) => given.Text(given.Bind(1, "prefix")[0]) is var affix
            && text.StartsWith(affix, StringComparison.Ordinal) ? text[affix.Length..] : text,
        ["removesuffix"] = (text, given) => given.Text(given.Bind(1, "suffix")[0]) is var affix && affix.Length > 0
            && text.EndsWith(affix, StringComparison.Ordinal) ? text[..^affix.Length] : text,
        ["replace"] = Filters.Replace,
        ["upper"] = (text, given) => Nothing(given, text.ToUpperInvariant()),
        ["lower"] = (text, given) => Nothing(given, text.ToLowerInvariant()),
        ["capitalize"] = (text, given) => Nothing(given, PythonText.Capitalized(text)),
        ["title"] = (text, given) => Nothing(given, PythonText.Titled(text)),
        ["find"] = (text, given) => Place(text, text.IndexOf(given.Text(given.Bind(1, "sub")[0]), StringComparison.Ordinal)),
        ["rfind"] = (text, given) => Place(text, text.LastIndexOf(given.Text(given.Bind(1, "sub")[0]), StringComparison.Ordinal)),
        ["count"] = (text, given) => (long)Filters.Occurrences(text, given.Text(given.Bind(1, "sub")[0])),
        ["join"] = (text, given) => Filters.Join(given.Bind(1, "iterable")[0], text, given.Budget),
        ["isdigit"] = (text, given) => Nothing(given, text.Length > 0 && text.All(char.IsDigit)),
        ["isspace"] = (text, given) => Nothing(given, text.Length > 0 && text.All(PythonText.IsSpace)),
    };

    private static readonly Dictionary<string, Func<OrderedDictionary<string, object?>, Arguments, object?>> s_map =
        new(StringComparer.Ordinal)
        {
            ["items"] = (map, given) => Nothing(given, Filters.Entries(map, given.Budget)),
            ["keys"] = (map, given) => Nothing(given, Values.Items(map, given.Budget)),
            ["values"] = (map, given) => Nothing(given, map.Values.ToList()),
            ["get"] = (map, given) => given.Bind(1, "key", "default") is [string key, var otherwise]
                ? map.TryGetValue(key, out var value) ? value : otherwise : null,
        };

    /// <summary>They change what they are called on, which the sandbox refuses.</summary>
    private static readonly HashSet<string> s_changing = new(StringComparer.Ordinal)
    {
        "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault", "sort", "update",
    };

    /// <exception cref="TemplateFault">Nothing can be asked of the value, or not this.</exception>
    public static object? Attribute(object? target, string name)
    {
        switch (target)
        {
            case Undefined undefined:
                throw undefined.Fault();
            case LoopValue loop:
                return loop.Attribute(name);
            case NamespaceValue space:
                return space.Values.TryGetValue(name, out var kept) ? kept : new Undefined($"the namespace has no attribute '{name}'");
            case var _ when Method(target, name) is { } method:
                return method;
            case OrderedDictionary<string, object?> map when map.TryGetValue(name, out var value):
                return value;
            default:
                return new Undefined($"{Values.Kind(target)} has no attribute '{name}', or none that is supported");
        }
    }

    public static object? Item(object? target, object? key)
    {
        if ((target as Undefined ?? key as Undefined) is { } undefined) throw undefined.Fault();
        if (key is string name) return target is OrderedDictionary<string, object?> map && map.TryGetValue(name, out var value) ? value
            : target is LoopValue or NamespaceValue ? Attribute(target, name)
            : (object?)Method(target, name) ?? new Undefined($"{Values.Kind(target)} has no item '{name}'");
        var missing = new Undefined($"{Values.Kind(target)} has no item {(key is long or bool ? Values.Long(key) : Values.Kind(key))}");
        if (key is not (long or bool)) return missing;
        var place = Values.Long(key);
        switch (target)
        {
            case List<object?> list:
                place += place < 0 ? list.Count : 0;
                return place >= 0 && place < list.Count ? list[(int)place] : missing;
            case string text:
                var characters = PythonText.Characters(text);
                place += place < 0 ? characters.Count : 0;
                return place >= 0 && place < characters.Count ? characters[(int)place] : missing;
            default:
                return missing;
        }
    }

    /// <summary>What a dotted name, or a number, leads to: as in map(attribute='a.b').</summary>
    public static object? Path(object? target, object? path)
    {
        if (path is long or bool) return Item(target, path);
        foreach (var part in (path as string ?? throw new TemplateFault($"an attribute is {Values.Kind(path)}")).Split('.'))
            target = long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var place)
                ? Item(target, place) : Item(target, part);
        return target;
    }

    private static Callable? Method(object? target, string name)
    {
        switch (target)
        {
            case string text when s_text.TryGetValue(name, out var ofText):
                return new(name, given => ofText(text, given));
            case OrderedDictionary<string, object?> map when s_map.TryGetValue(name, out var ofMap):
                return new(name, given => ofMap(map, given));
            case List<object?> or OrderedDictionary<string, object?> when s_changing.Contains(name):
                return new(name, _ => throw new TemplateFault($"'{name}' would change {Values.Kind(target)}, which no template may"));
            default:
                return null;
        }
    }

    private static T Nothing<T>(Arguments given, T value)
    {
        given.Bind(0);
        return value;
    }

    private static long Place(string text, int at) => at < 0 ? -1 : PythonText.Length(text[..at]);

    private static List<string> Affixes(Arguments given) => given.Bind(1, "prefix")[0] switch
    {
        TupleValue several => [.. several.Select(given.Text)],
        var one => [given.Text(one)],
    };

    private static object? Split(string text, Arguments given)
    {
        var (separator, most) = Separator(given);
        given.Budget.Spend(text.Length);
        if (separator == null) return new List<object?>(PythonText.Words(text, most));
        return new List<object?>(most < 0 || most >= int.MaxValue ? text.Split(separator) : text.Split(separator, (int)most + 1));
    }

    private static object? SplitFromRight(string text, Arguments given)
    {
        var (separator, most) = Separator(given);
        given.Budget.Spend(text.Length);
        if (separator == null && most >= 0) throw new TemplateFault("'rsplit' by white space a number of times is not supported");
        if (separator == null) return new List<object?>(PythonText.Words(text, most));
        List<object?> parts = [];
        var end = text.Length;
        while ((most < 0 || parts.Count < most) && text.AsSpan(0, end).LastIndexOf(separator) is >= 0 and var at)
        {
            parts.Add(text[(at + separator!.Length)..end]);
            end = at;
        }
        parts.Add(text[..end]);
        parts.Reverse();
        return parts;
    }

    private static (string? Separator, long Most) Separator(Arguments given)
    {
        var values = given.Bind(0, "sep", "maxsplit");
        var separator = values[0] == null ? null : given.Text(values[0]);
        if (separator == "") throw new TemplateFault("the separator is empty");
        return (separator, values[1] == null ? -1 : given.Whole(values[1]));
    }
}
