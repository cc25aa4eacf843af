namespace Harness.Models.Llama.Templates;

internal delegate bool Test(object? value, Arguments given);

/// <summary>What stands behind <c>is</c>, as jinja2's tests.py has it.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Test> s_all = new(StringComparer.Ordinal)
    {
        ["defined"] = Plain(value => value is not Undefined),
        ["undefined"] = Plain(value => value is Undefined),
        ["none"] = Plain(value => value is null),
        ["string"] = Plain(value => value is string),
        ["mapping"] = Plain(value => value is OrderedDictionary<string, object?>),
        ["iterable"] = Plain(IsIterable),
        ["sequence"] = Plain(IsIterable),
        ["number"] = Plain(Values.IsNumber),
        ["integer"] = Plain(value => value is long),
        ["float"] = Plain(value => value is double),
        ["boolean"] = Plain(value => value is bool),
        ["true"] = Plain(value => value is true),
        ["false"] = Plain(value => value is false),
        ["callable"] = Plain(value => value is Callable),
        ["odd"] = Plain(value => Remainder(value, 2) == 1),
        ["even"] = Plain(value => Remainder(value, 2) == 0),
        ["lower"] = Plain(value => value is string text && text.Any(char.IsLower) && !text.Any(char.IsUpper)),
        ["upper"] = Plain(value => value is string text && text.Any(char.IsUpper) && !text.Any(char.IsLower)),
        ["divisibleby"] = (value, given) => Remainder(value, given.Whole(given.Bind(1, "num")[0])) == 0,
        ["eq"] = (value, given) => Values.Equals(value, Other(given)),
        ["ne"] = (value, given) => !Values.Equals(value, Other(given)),
        ["lt"] = (value, given) => Values.Compare(value, Other(given)) < 0,
        ["le"] = (value, given) => Values.Compare(value, Other(given)) <= 0,
        ["gt"] = (value, given) => Values.Compare(value, Other(given)) > 0,
        ["ge"] = (value, given) => Values.Compare(value, Other(given)) >= 0,
        ["in"] = (value, given) => Values.Contains(Other(given), value),
        ["filter"] = Plain(value => value is string name && Filters.Find(name) != null),
        ["test"] = Plain(value => value is string name && Find(name) != null),
    };

    private static readonly Dictionary<string, string> s_aliases = new(StringComparer.Ordinal)
    {
        ["equalto"] = "eq",
        ["=="] = "eq",
        ["!="] = "ne",
        ["lessthan"] = "lt",
        ["<"] = "lt",
        ["<="] = "le",
        ["greaterthan"] = "gt",
        [">"] = "gt",
        [">="] = "ge",
    };

    /// <returns>Null where there is none of the name.</returns>
    public static Test? Find(string name) => s_all.GetValueOrDefault(s_aliases.GetValueOrDefault(name, name));

    public static string Known => string.Join(", ", s_all.Keys.Order(StringComparer.Ordinal));

    private static Test Plain(Func<object?, bool> holds) => (value, given) => given.Bind(0) is [] && holds(value);

    private static bool IsIterable(object? value) => value is string or List<object?> or OrderedDictionary<string, object?> or Undefined;

    private static object? Other(Arguments given) => given.Positional is [var other] && given.Named.Count == 0 ? other
        : throw new TemplateFault("the test takes one argument");

    private static long Remainder(object? value, long divisor) => value is not (long or bool)
        ? throw (value as Undefined)?.Fault() ?? new TemplateFault($"{Values.Kind(value)} is no whole number")
        : divisor is 0 or -1 ? divisor == -1 ? 0 : throw new TemplateFault("the test divides by zero")
        : Math.Abs(Values.Long(value) % divisor);
}
