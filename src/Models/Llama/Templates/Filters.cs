using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Harness.Models.Llama.Templates;

internal delegate object? Filter(object? value, Arguments given);

/// <summary>The filters that templates use, as jinja2's filters.py has them; tojson as transformers has it.</summary>
internal static partial class Filters
{
    private static readonly Dictionary<string, Filter> s_all = new(StringComparer.Ordinal)
    {
        ["trim"] = (value, given) => Strip(Text(value, given), given, "both"),
        ["tojson"] = (value, given) => JsonText.Write(value, given),
        ["join"] = (value, given) => given.Bind(0, "d", "attribute") is var bound
            && (bound[1] == null ? value : Mapped(value, bound[1], null, given)) is var items
            ? Join(items, bound[0] == null ? "" : Text(bound[0], given), given.Budget) : null,
        ["length"] = (value, given) => given.Bind(0).Length + Values.Length(value),
        ["default"] = Default,
        ["upper"] = (value, given) => given.Bind(0) is [] ? Text(value, given).ToUpperInvariant() : null,
        ["lower"] = (value, given) => given.Bind(0) is [] ? Text(value, given).ToLowerInvariant() : null,
        ["capitalize"] = (value, given) => given.Bind(0) is [] ? PythonText.Capitalized(Text(value, given)) : null,
        ["title"] = (value, given) => given.Bind(0) is [] ? Word().Replace(Text(value, given), m => PythonText.Capitalized(m.Value)) : null,
        ["replace"] = (value, given) => Replace(Text(value, given), given),
        ["first"] = (value, given) => given.Bind(0) is [] && Values.Items(value, given.Budget) is [var first, ..] ? first
            : new Undefined("there is no first item"),
        ["last"] = (value, given) => given.Bind(0) is [] && Values.Items(value, given.Budget) is [.., var last] ? last
            : new Undefined("there is no last item"),
        ["list"] = (value, given) => given.Bind(0) is [] ? Values.Items(value, given.Budget).ToList() : null,
        ["string"] = (value, given) => given.Bind(0) is [] ? Text(value, given) : null,
        ["safe"] = (value, given) => given.Bind(0) is [] ? Text(value, given) : null,     // nothing is escaped
        ["int"] = Whole,
        ["float"] = Real,
        ["abs"] = (value, given) => given.Bind(0) is [] && value is double real ? Math.Abs(real)
            : Values.Arithmetic("abs", value, 0L, (x, _) => checked(x < 0 ? -x : x), (x, _) => x),
        ["items"] = (value, given) => given.Bind(0) is [] && value is Undefined ? new List<object?>()
            : value is OrderedDictionary<string, object?> map ? Entries(map, given.Budget)
            : throw new TemplateFault($"'items' is given {Values.Kind(value)} where a mapping is expected"),
        ["dictsort"] = Sorted,
        ["sort"] = Sort,
        ["reverse"] = Reverse,
        ["unique"] = (value, given) => given.Bind(0) is [] ? Unique(Values.Items(value, given.Budget), given.Budget) : null,
        ["indent"] = Indent,
        ["map"] = Map,
        ["select"] = (value, given) => Chosen(value, given, null, keep: Held),
        ["reject"] = (value, given) => Chosen(value, given, null, keep: Failed),
        ["selectattr"] = (value, given) => Chosen(value, WithoutFirst(given), First(given), keep: Held),
        ["rejectattr"] = (value, given) => Chosen(value, WithoutFirst(given), First(given), keep: Failed),
    };

    private static readonly Dictionary<string, string> s_aliases = new(StringComparer.Ordinal) { ["count"] = "length", ["d"] = "default" };

    /// <returns>Null where there is none of the name.</returns>
    public static Filter? Find(string name) => s_all.GetValueOrDefault(s_aliases.GetValueOrDefault(name, name));

    public static string Known => string.Join(", ", s_all.Keys.Concat(s_aliases.Keys).Order(StringComparer.Ordinal));

    private static bool Held(bool holds) => holds;

    private static bool Failed(bool holds) => !holds;

    private static string Text(object? value, Arguments given) => Values.Text(value, given.Budget);

    /// <param name="side">left, right or both.</param>
    public static string Strip(string text, Arguments given, string side)
    {
        var characters = given.Bind(0, "chars")[0] is { } some ? given.Text(some) : null;
        given.Budget.Spend(text.Length);
        if (characters == null)
            return side == "left" ? PythonText.TrimStart(text) : side == "right" ? PythonText.TrimEnd(text) : PythonText.Trim(text);
        var all = PythonText.Characters(text);
        var set = PythonText.Characters(characters).ToHashSet(StringComparer.Ordinal);
        var (begin, end) = (0, all.Count);
        while (side != "right" && begin < end && set.Contains(all[begin])) begin++;
        while (side != "left" && end > begin && set.Contains(all[end - 1])) end--;
        return string.Concat(all[begin..end]);
    }

    public static int Occurrences(string text, string part)
    {
        if (part.Length == 0) return PythonText.Length(text) + 1;
        var count = 0;
        for (var at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length) count++;
        return count;
    }

    public static string Replace(string text, Arguments given)
    {
        var bound = given.Bind(2, "old", "new", "count");
        var (from, to) = (given.Text(bound[0]), given.Text(bound[1]));
        if (from.Length == 0) throw new TemplateFault("'replace' of the empty text is not supported");
        var most = bound[2] == null ? -1 : given.Whole(bound[2]);
        given.Budget.Spend(text.Length + (long)Occurrences(text, from) * to.Length);
        if (most < 0) return text.Replace(from, to, StringComparison.Ordinal);
        var result = new StringBuilder();
        var done = 0;
        for (var n = 0L; n < most && text.IndexOf(from, done, StringComparison.Ordinal) is >= 0 and var at; n++)
        {
            result.Append(text, done, at - done).Append(to);
            done = at + from.Length;
        }
        return result.Append(text, done, text.Length - done).ToString();
    }

    public static string Join(object? items, string between, Budget budget)
    {
        var text = new StringBuilder();
        var isFirst = true;
        foreach (var item in Values.Items(items, budget))
        {
            var next = Values.Text(item, budget);
            budget.Spend((long)next.Length + between.Length);
            text.Append(isFirst ? "" : between).Append(next);
            isFirst = false;
        }
        return text.ToString();
    }

    public static List<object?> Entries(OrderedDictionary<string, object?> map, Budget budget)
    {
        budget.Spend(map.Count);
        return [.. map.Select(entry => new TupleValue([entry.Key, entry.Value]))];
    }

    private static object? Reverse(object? value, Arguments given)
    {
        given.Bind(0);
        var reversed = Values.Items(value, given.Budget).AsEnumerable().Reverse();
        return value is string ? string.Concat(reversed) : reversed.ToList();
    }

    private static object? Default(object? value, Arguments given)
    {
        var bound = given.Bind(0, "default_value", "boolean");
        var isMissing = value is Undefined || (bound[1] != null && Values.Truth(bound[1]) && !Values.Truth(value));
        var isGiven = given.Positional.Count > 0 || given.Named.ContainsKey("default_value");
        return !isMissing ? value : isGiven ? bound[0] : "";
    }

    private static object? Whole(object? value, Arguments given)
    {
        var otherwise = given.Bind(0, "default")[0] ?? 0L;
        return value switch
        {
            long or bool => Values.Long(value),
            double real => double.IsFinite(real) && Math.Abs(real) < 9e18 ? (long)real : otherwise,
            string text when long.TryParse(PythonText.Trim(text), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
                out var whole) => whole,
            string text when double.TryParse(PythonText.Trim(text), NumberStyles.Float, CultureInfo.InvariantCulture, out var real)
                && Math.Abs(real) < 9e18 => (long)real,
            _ => otherwise,
        };
    }

    private static object? Real(object? value, Arguments given)
    {
        var otherwise = given.Bind(0, "default")[0] ?? 0.0;
        return Values.IsNumber(value) ? Values.Double(value) : value is string text
            && double.TryParse(PythonText.Trim(text), NumberStyles.Float, CultureInfo.InvariantCulture, out var real) ? real : otherwise;
    }

    /// <summary>By key, without regard to case.</summary>
    private static object? Sorted(object? value, Arguments given)
    {
        if (given.Bind(0) is [] && value is OrderedDictionary<string, object?> map)
            return Entries(map, given.Budget).OrderBy(entry => ((string)((TupleValue)entry!)[0]!).ToLowerInvariant(),
                Comparer<string>.Create((a, b) => Values.Compare(a, b))).ToList();
        throw new TemplateFault($"'dictsort' is given {Values.Kind(value)} where a mapping is expected");
    }

    /// <summary>Texts without regard to case, as jinja2 by default.</summary>
    private static object? Sort(object? value, Arguments given)
    {
        var bound = given.Bind(0, "reverse", "case_sensitive", "attribute");
        var order = Comparer<object?>.Create(Values.Compare);
        var items = Values.Items(value, given.Budget);
        try
        {
            return (bound[0] != null && Values.Truth(bound[0]) ? items.OrderByDescending(Key, order) : items.OrderBy(Key, order)).ToList();
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateFault fault)
        {
            throw fault;
        }

        object? Key(object? item)
        {
            var key = bound[2] == null ? item : Members.Path(item, bound[2]);
            return key is string text && !(bound[1] != null && Values.Truth(bound[1])) ? text.ToLowerInvariant() : key;
        }
    }

    /// <summary>The first of those that are equal, texts without regard to case.</summary>
    private static List<object?> Unique(List<object?> items, Budget budget)
    {
        List<object?> kept = [];
        List<object?> keys = [];
        foreach (var item in items)
        {
            budget.Spend(keys.Count);
            var key = item is string text ? text.ToLowerInvariant() : item;
            if (keys.Exists(other => Values.Equals(other, key))) continue;
            keys.Add(key);
            kept.Add(item);
        }
        return kept;
    }

    private static object? Indent(object? value, Arguments given)
    {
        var bound = given.Bind(0, "width", "first", "blank");
        var width = bound[0] is null or string ? 4 : given.Whole(bound[0]);
        given.Budget.Spend(Math.Clamp(width, 0, int.MaxValue));
        var margin = bound[0] as string ?? new string(' ', (int)Math.Max(0, width));
        var blank = bound[2] != null && Values.Truth(bound[2]);
        var lines = PythonText.Lines(Text(value, given) + "\n");
        given.Budget.Spend((long)margin.Length * lines.Count);
        return (bound[1] != null && Values.Truth(bound[1]) ? margin : "") + string.Join("\n", lines.Select((line, i) =>
            i == 0 || (line.Length == 0 && !blank) ? line : margin + line));
    }

    /// <summary>map(attribute='a.b', default=…), or map('filter', its arguments).</summary>
    private static object? Map(object? value, Arguments given)
    {
        if (given.Positional.Count == 0)
        {
            var bound = given.Bind(0, "attribute", "default");
            return Mapped(value, bound[0] ?? throw new TemplateFault("'map' lacks a filter or an attribute"), bound[1], given);
        }
        var name = given.Text(given.Positional[0]);
        var filter = Find(name) ?? throw new TemplateFault($"the filter '{name}' is not supported");
        var rest = WithoutFirst(given);
        return Values.Items(value, given.Budget).Select(item =>
        {
            given.Budget.Leave(given.Budget.Enter(given.Budget.Line));      // a step each
            return filter(item, rest);
        }).ToList();
    }

    private static List<object?> Mapped(object? value, object? attribute, object? otherwise, Arguments given)
    {
        var items = Values.Items(value, given.Budget);
        given.Budget.Spend(items.Count);
        return [.. items.Select(item => Members.Path(item, attribute) is var found && found is Undefined && otherwise != null
            ? otherwise : found)];
    }

    private static object? First(Arguments given) =>
        given.Positional.Count > 0 ? given.Positional[0] : throw new TemplateFault("an attribute is expected");

    private static Arguments WithoutFirst(Arguments given) =>
        new("the filter", [.. given.Positional.Skip(1)], given.Named, given.Budget);

    /// <param name="attribute">What is tested of each item; null for itself.</param>
    /// <param name="keep">Whether an item stays, by what the test says.</param>
    private static object? Chosen(object? value, Arguments given, object? attribute, Func<bool, bool> keep)
    {
        Test test = (item, _) => Values.Truth(item);
        if (given.Positional.Count > 0)
        {
            var name = given.Text(given.Positional[0]);
            test = Tests.Find(name) ?? throw new TemplateFault($"the test '{name}' is not supported");
            given = WithoutFirst(given);
        }
        var items = Values.Items(value, given.Budget);
        given.Budget.Spend(items.Count);
        return items.Where(item => keep(test(attribute == null ? item : Members.Path(item, attribute), given))).ToList();
    }

    /// <summary>Up to where jinja2 sees the next word begin.</summary>
    [GeneratedRegex(@"[^-\s({\[<]+")]
    private static partial Regex Word();
}
