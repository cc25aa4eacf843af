namespace Harness.Models.Llama.Templates;

// Values of a template are null (None), bool, long, double, string, List<object?>, TupleValue, OrderedDictionary<string, object?>, and
// these.

/// <summary>What is not there: writes nothing, is false, and fails where something is asked of it.</summary>
/// <param name="Why">'x' is undefined.</param>
internal sealed record Undefined(string Why)
{
    public TemplateFault Fault() => new(Why);
}

/// <summary>A list that is written (a, b), and equals no list.</summary>
internal sealed class TupleValue(IEnumerable<object?> items) : List<object?>(items);

/// <summary>namespace(…): the one thing whose attributes a template can set, from within loops too.</summary>
internal sealed class NamespaceValue(IEnumerable<KeyValuePair<string, object?>> values)
{
    public Dictionary<string, object?> Values { get; } = new(values);
}

/// <summary>What a template can call.</summary>
/// <param name="Name">For messages.</param>
internal sealed record Callable(string Name, Func<Arguments, object?> Call);

/// <summary><c>loop</c> in a loop's body.</summary>
/// <param name="Items">What is gone through.</param>
/// <param name="Index">From 0.</param>
internal sealed record LoopValue(List<object?> Items, int Index)
{
    /// <exception cref="TemplateFault">It has none of that name, or none that is supported.</exception>
    public object? Attribute(string name) => name switch
    {
        "index" => Index + 1L,
        "index0" => (long)Index,
        "first" => Index == 0,
        "last" => Index == Items.Count - 1,
        "length" => (long)Items.Count,
        "revindex" => (long)Items.Count - Index,
        "revindex0" => Items.Count - Index - 1L,
        "previtem" => Index > 0 ? Items[Index - 1] : new Undefined("there is no previous item"),
        "nextitem" => Index < Items.Count - 1 ? Items[Index + 1] : new Undefined("there is no next item"),
        _ => throw new TemplateFault($"'loop.{name}' is not supported"),
    };
}

/// <summary>What a call is given.</summary>
/// <param name="callee">For messages.</param>
internal sealed class Arguments(string callee, IReadOnlyList<object?> positional, IReadOnlyDictionary<string, object?> named, Budget budget)
{
    public IReadOnlyList<object?> Positional => positional;
    public IReadOnlyDictionary<string, object?> Named => named;
    public Budget Budget => budget;

    /// <summary>The arguments in the order of their names; null for those that are not given.</summary>
    /// <param name="required">How many of them must be given.</param>
    /// <exception cref="TemplateFault">There are others, too many, or too few.</exception>
    public object?[] Bind(int required, params string[] names)
    {
        if (positional.Count > names.Length)
            throw new TemplateFault($"'{callee}' takes {names.Length} arguments at most, and is given {positional.Count}");
        var values = new object?[names.Length];
        for (var i = 0; i < names.Length; i++)
        {
            if (i < positional.Count) values[i] = positional[i];
            else if (named.TryGetValue(names[i], out var value)) values[i] = value;
            else if (i < required) throw new TemplateFault($"'{callee}' lacks its argument '{names[i]}'");
        }
        foreach (var name in named.Keys)
            if (Array.IndexOf(names, name) is var place && (place < 0 || place < positional.Count))
                throw new TemplateFault(place < 0 ? $"'{callee}' has no argument '{name}'" : $"'{callee}' is given '{name}' twice");
        return values;
    }

    /// <summary>Text, of an argument.</summary>
    public string Text(object? value) => value as string ?? throw Wrong(value, "text");

    public long Whole(object? value) => value switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => throw Wrong(value, "a whole number"),
    };

    private TemplateFault Wrong(object? value, string expected) => (value as Undefined)?.Fault()
        ?? new($"'{callee}' is given {Values.Kind(value)} where {expected} is expected");
}
