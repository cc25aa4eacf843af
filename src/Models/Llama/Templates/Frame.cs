namespace Harness.Models.Llama.Templates;

/// <summary>The names that are known at a place of a template, those of the places around it behind them.</summary>
internal sealed class Frame(Frame? outer, Budget budget)
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    private Frame? Outer => outer;

    public Budget Budget => budget;

    public Frame Inner() => new(this, budget);

    public void Set(string name, object? value) => _values[name] = value;

    public object? Find(string name)
    {
        for (var frame = this; frame != null; frame = frame.Outer)
            if (frame._values.TryGetValue(name, out var value)) return value;
        return new Undefined($"'{name}' is undefined");
    }
}
