using System.Text;

namespace Harness.Models.Llama.Templates;

/// <summary>Whether a loop's body goes on behind a statement.</summary>
internal enum Flow
{
    Next,
    Continue,
    Break,
}

/// <param name="line">From 1.</param>
internal abstract class Statement(int line)
{
    public Flow Render(Frame frame, StringBuilder output)
    {
        var outer = frame.Budget.Enter(line);
        var flow = Perform(frame, output);
        frame.Budget.Leave(outer);
        return flow;
    }

    protected abstract Flow Perform(Frame frame, StringBuilder output);

    public static Flow RenderAll(IReadOnlyList<Statement> body, Frame frame, StringBuilder output)
    {
        foreach (var statement in body)
            if (statement.Render(frame, output) is not Flow.Next and var flow) return flow;
        return Flow.Next;
    }

    /// <summary>What the statements write, in a frame of their own.</summary>
    public static string Rendered(IReadOnlyList<Statement> body, Frame frame)
    {
        var output = new StringBuilder();
        RenderAll(body, frame, output);
        return output.ToString();
    }

    protected static Flow Write(string text, Frame frame, StringBuilder output)
    {
        frame.Budget.Spend(text.Length);
        output.Append(text);
        return Flow.Next;
    }
}

internal sealed class TextStatement(int line, string text) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output) => Write(text, frame, output);
}

/// <summary>{{ … }}</summary>
internal sealed class OutputStatement(int line, Expression value) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output) =>
        Write(Values.Text(value.Evaluate(frame), frame.Budget), frame, output);
}

/// <summary>if and its elifs; an else has the literal true as its test.</summary>
internal sealed class IfStatement(int line, IReadOnlyList<(Expression Test, IReadOnlyList<Statement> Body)> branches) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output)
    {
        foreach (var (test, body) in branches)
            if (Values.Truth(test.Evaluate(frame))) return RenderAll(body, frame, output);
        return Flow.Next;
    }
}

/// <param name="condition">Items of which it does not hold are passed over, and not counted; null: none is.</param>
/// <param name="otherwise">Where there is no item.</param>
internal sealed class ForStatement(int line, Target target, Expression items, Expression? condition, IReadOnlyList<Statement> body,
    IReadOnlyList<Statement> otherwise) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output)
    {
        var all = Values.Items(items.Evaluate(frame), frame.Budget);
        if (condition != null) all = [.. all.Where(item =>
        {
            var inner = frame.Inner();
            target.Set(inner, item);
            return Values.Truth(condition.Evaluate(inner));
        })];
        for (var i = 0; i < all.Count; i++)
        {
            var inner = frame.Inner();
            target.Set(inner, all[i]);
            inner.Set("loop", new LoopValue(all, i));
            if (RenderAll(body, inner, output) == Flow.Break) break;
        }
        if (all.Count == 0) RenderAll(otherwise, frame.Inner(), output);
        return Flow.Next;
    }
}

/// <summary>set a = …, set a.b = … of a namespace, set a, b = ….</summary>
internal sealed class SetStatement(int line, Target target, Expression value) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output)
    {
        target.Set(frame, value.Evaluate(frame));
        return Flow.Next;
    }
}

/// <summary>set a … endset: what the body writes.</summary>
internal sealed class SetBlockStatement(int line, Target target, IReadOnlyList<Statement> body) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output)
    {
        target.Set(frame, Rendered(body, frame.Inner()));
        return Flow.Next;
    }
}

/// <param name="parameters">Each with its default; null for none.</param>
internal sealed class MacroStatement(int line, string name, IReadOnlyList<(string Name, Expression? Default)> parameters,
    IReadOnlyList<Statement> body) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output)
    {
        frame.Set(name, new Callable(name, given => Expand(frame, given)));
        return Flow.Next;
    }

    private string Expand(Frame frame, Arguments given)
    {
        given.Bind(0, [.. parameters.Select(parameter => parameter.Name)]);
        var inner = frame.Inner();
        for (var i = 0; i < parameters.Count; i++)
        {
            var (parameter, otherwise) = parameters[i];
            inner.Set(parameter, i < given.Positional.Count ? given.Positional[i]
                : given.Named.TryGetValue(parameter, out var value) ? value
                : otherwise != null ? otherwise.Evaluate(inner) : new Undefined($"'{parameter}' is not given to '{name}'"));
        }
        return Rendered(body, inner);
    }
}

/// <summary>generation … endgeneration, by which transformers marks what the model says; and whatever else only holds a body.</summary>
internal sealed class BodyStatement(int line, IReadOnlyList<Statement> body) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output) => RenderAll(body, frame, output);
}

/// <summary>break or continue.</summary>
internal sealed class JumpStatement(int line, Flow flow) : Statement(line)
{
    protected override Flow Perform(Frame frame, StringBuilder output) => flow;
}

/// <summary>What is assigned to: a name, an attribute of a namespace, or several names.</summary>
internal abstract record Target
{
    public abstract void Set(Frame frame, object? value);
}

internal sealed record NameTarget(string Name) : Target
{
    public override void Set(Frame frame, object? value) => frame.Set(Name, value);
}

internal sealed record AttributeTarget(string Name, string Attribute) : Target
{
    public override void Set(Frame frame, object? value)
    {
        if (frame.Find(Name) is not NamespaceValue space)
            throw new TemplateFault($"'{Name}' is {Values.Kind(frame.Find(Name))}; attributes are set of namespaces alone");
        space.Values[Attribute] = value;
    }
}

internal sealed record SeveralTarget(IReadOnlyList<Target> Parts) : Target
{
    public override void Set(Frame frame, object? value)
    {
        var items = value is Undefined undefined ? throw undefined.Fault() : Values.Items(value, frame.Budget);
        if (items.Count != Parts.Count) throw new TemplateFault($"{Parts.Count} names are given {items.Count} values");
        for (var i = 0; i < items.Count; i++) Parts[i].Set(frame, items[i]);
    }
}
