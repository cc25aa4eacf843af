namespace Harness.Models.Llama.Templates;

/// <param name="line">From 1.</param>
internal abstract class Expression(int line)
{
    public object? Evaluate(Frame frame)
    {
        var outer = frame.Budget.Enter(line);
        var value = Compute(frame);
        frame.Budget.Leave(outer);
        return value;
    }

    protected abstract object? Compute(Frame frame);
}

internal sealed class Literal(int line, object? value) : Expression(line)
{
    protected override object? Compute(Frame frame) => value;
}

internal sealed class Name(int line, string name) : Expression(line)
{
    protected override object? Compute(Frame frame) => frame.Find(name);
}

internal sealed class ListLiteral(int line, IReadOnlyList<Expression> items) : Expression(line)
{
    protected override object? Compute(Frame frame) => items.Select(item => item.Evaluate(frame)).ToList();
}

internal sealed class TupleLiteral(int line, IReadOnlyList<Expression> items) : Expression(line)
{
    protected override object? Compute(Frame frame) => new TupleValue(items.Select(item => item.Evaluate(frame)));
}

internal sealed class MapLiteral(int line, IReadOnlyList<(Expression Key, Expression Value)> entries) : Expression(line)
{
    protected override object? Compute(Frame frame)
    {
        var map = new OrderedDictionary<string, object?>();
        foreach (var (key, value) in entries)
            map[key.Evaluate(frame) as string ?? throw new TemplateFault("a mapping's keys other than texts are not supported")] =
                value.Evaluate(frame);
        return map;
    }
}

/// <summary>The one or the other, evaluated only where it is needed.</summary>
/// <param name="otherwise">Null: undefined.</param>
internal sealed class Conditional(int line, Expression test, Expression then, Expression? otherwise) : Expression(line)
{
    protected override object? Compute(Frame frame) => Values.Truth(test.Evaluate(frame)) ? then.Evaluate(frame)
        : otherwise != null ? otherwise.Evaluate(frame) : new Undefined("the inline if has no else, and its condition is false");
}

internal sealed class And(int line, Expression left, Expression right) : Expression(line)
{
    protected override object? Compute(Frame frame) =>
        left.Evaluate(frame) is var first && Values.Truth(first) ? right.Evaluate(frame) : first;
}

internal sealed class Or(int line, Expression left, Expression right) : Expression(line)
{
    protected override object? Compute(Frame frame) =>
        left.Evaluate(frame) is var first && Values.Truth(first) ? first : right.Evaluate(frame);
}

internal sealed class Not(int line, Expression operand) : Expression(line)
{
    protected override object? Compute(Frame frame) => !Values.Truth(operand.Evaluate(frame));
}

/// <summary>a &lt; b &lt;= c: each with the one before it.</summary>
internal sealed class Comparison(int line, Expression first, IReadOnlyList<(string Operation, Expression Operand)> rest) : Expression(line)
{
    protected override object? Compute(Frame frame)
    {
        var left = first.Evaluate(frame);
        foreach (var (operation, operand) in rest)
        {
            var right = operand.Evaluate(frame);
            if (!Holds(operation, left, right)) return false;
            left = right;
        }
        return true;
    }

    private static bool Holds(string operation, object? left, object? right) => operation switch
    {
        "==" => Values.Equals(left, right),
        "!=" => !Values.Equals(left, right),
        "in" => Values.Contains(right, left),
        "not in" => !Values.Contains(right, left),
        "<" => Values.Compare(left, right) < 0,
        "<=" => Values.Compare(left, right) <= 0,
        ">" => Values.Compare(left, right) > 0,
        _ => Values.Compare(left, right) >= 0,
    };
}

/// <summary>An arithmetic operation, or ~, which joins texts.</summary>
internal sealed class Binary(int line, string operation, Expression left, Expression right) : Expression(line)
{
    protected override object? Compute(Frame frame)
    {
        var (a, b) = (left.Evaluate(frame), right.Evaluate(frame));
        switch (operation)
        {
            case "~":
                var (first, second) = (Values.Text(a, frame.Budget), Values.Text(b, frame.Budget));
                frame.Budget.Spend((long)first.Length + second.Length);
                return first + second;
            case "+":
                return Values.Add(a, b, frame.Budget);
            case "*":
                return Values.Multiply(a, b, frame.Budget);
            case "-":
                return Values.Arithmetic("-", a, b, (x, y) => checked(x - y), (x, y) => x - y);
            case "/":
                return Values.Arithmetic("/", Values.IsNumber(a) ? Values.Double(a) : a, b, (x, y) => x, Quotient);
            case "//":
                return Values.Arithmetic("//", a, b, FloorQuotient, (x, y) => Math.Floor(Quotient(x, y)));
            case "%" when a is not string:
                return Values.Arithmetic("%", a, b, (x, y) => y == -1 ? 0 : x - y * FloorQuotient(x, y), (x, y) =>
                    x - y * Math.Floor(Quotient(x, y)));
            default:
                throw new TemplateFault($"'{operation}' of {Values.Kind(a)} is not supported");
        }
    }

    private static double Quotient(double left, double right) => right != 0 ? left / right : throw new DivideByZeroException();

    /// <summary>Towards minus infinity.</summary>
    private static long FloorQuotient(long left, long right) =>
        checked(left / right) is var whole && left % right != 0 && left < 0 != right < 0 ? whole - 1 : whole;
}

internal sealed class Negation(int line, Expression operand) : Expression(line)
{
    protected override object? Compute(Frame frame) =>
        Values.Arithmetic("-", 0L, operand.Evaluate(frame), (x, y) => checked(x - y), (_, y) => -y);
}

/// <summary>a.b: a method, then an item.</summary>
internal sealed class Attribute(int line, Expression target, string name) : Expression(line)
{
    protected override object? Compute(Frame frame) => Members.Attribute(target.Evaluate(frame), name);
}

/// <summary>a[b]: an item, then a method.</summary>
internal sealed class Subscript(int line, Expression target, Expression key) : Expression(line)
{
    protected override object? Compute(Frame frame) => Members.Item(target.Evaluate(frame), key.Evaluate(frame));
}

/// <summary>a[from:to:step], each of which may be missing.</summary>
internal sealed class Slice(int line, Expression target, Expression? from, Expression? to, Expression? step) : Expression(line)
{
    protected override object? Compute(Frame frame)
    {
        var value = target.Evaluate(frame);
        var (a, b, c) = (Bound(from, frame), Bound(to, frame), Bound(step, frame) ?? 1);
        switch (value)
        {
            case string text:
                return string.Concat(Cut(Values.Items(text, frame.Budget)));     // of code points
            case TupleValue tuple:
                return new TupleValue(Cut(tuple));
            case List<object?> list:
                return Cut(list);
            default:
                throw (value as Undefined)?.Fault() ?? new TemplateFault($"{Values.Kind(value)} cannot be sliced");
        }

        List<object?> Cut(List<object?> items)
        {
            if (c == 0) throw new TemplateFault("a slice's step is 0");
            var (begin, end) = c > 0 ? (Place(a ?? 0, 0, items.Count), Place(b ?? items.Count, 0, items.Count))
                : (Place(a ?? items.Count, -1, items.Count - 1), b is { } last ? Place(last, -1, items.Count - 1) : -1);
            var cut = new List<object?>();
            for (var i = begin; c > 0 ? i < end : i > end; i += Math.Clamp(c, -items.Count - 1, items.Count + 1)) cut.Add(items[(int)i]);
            frame.Budget.Spend(cut.Count);
            return cut;

            long Place(long index, long least, long most) => Math.Clamp(index < 0 ? index + items.Count : index, least, most);
        }
    }

    private static long? Bound(Expression? bound, Frame frame) => bound?.Evaluate(frame) switch
    {
        null => null,
        long number => number,
        bool flag => flag ? 1 : 0,
        var other => throw (other as Undefined)?.Fault() ?? new TemplateFault($"a slice's bound is {Values.Kind(other)}"),
    };
}

/// <summary>The arguments of a call, a filter or a test.</summary>
internal sealed record ArgumentList(IReadOnlyList<Expression> Positional, IReadOnlyList<(string Name, Expression Value)> Named)
{
    public static readonly ArgumentList None = new([], []);

    public Arguments Evaluate(string callee, Frame frame) => new(callee, [.. Positional.Select(one => one.Evaluate(frame))],
        Named.ToDictionary(one => one.Name, one => one.Value.Evaluate(frame)), frame.Budget);
}

internal sealed class Call(int line, Expression target, ArgumentList arguments) : Expression(line)
{
    protected override object? Compute(Frame frame) => target.Evaluate(frame) switch
    {
        Callable callable => callable.Call(arguments.Evaluate(callable.Name, frame)),
        Undefined undefined => throw undefined.Fault(),
        var other => throw new TemplateFault($"{Values.Kind(other)} cannot be called"),
    };
}

internal sealed class Filtered(int line, Expression value, string name, Filter filter, ArgumentList arguments) : Expression(line)
{
    protected override object? Compute(Frame frame) => filter(value.Evaluate(frame), arguments.Evaluate(name, frame));
}

internal sealed class Tested(int line, Expression value, string name, Test test, ArgumentList arguments) : Expression(line)
{
    protected override object? Compute(Frame frame) => test(value.Evaluate(frame), arguments.Evaluate(name, frame));
}
