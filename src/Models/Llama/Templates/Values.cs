using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Templates;

/// <summary>What Python's operators and conversions do with values.</summary>
internal static class Values
{
    private const int MostDepth = 100;

    /// <summary>For messages.</summary>
    public static string Kind(object? value) => value switch
    {
        null => "none",
        bool => "a boolean",
        long => "a whole number",
        double => "a number",
        string => "text",
        Undefined => "something undefined",
        TupleValue => "a tuple",
        List<object?> => "a list",
        OrderedDictionary<string, object?> => "a mapping",
        NamespaceValue => "a namespace",
        Callable called => $"the function '{called.Name}'",
        _ => "loop",
    };

    public static bool Truth(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        List<object?> list => list.Count > 0,
        OrderedDictionary<string, object?> map => map.Count > 0,
        _ => true,
    };

    public static new bool Equals(object? left, object? right) => Equals(left, right, 0);

    private static bool Equals(object? left, object? right, int depth)
    {
        CheckDepth(depth);
        if (IsNumber(left) && IsNumber(right))
            return left is double || right is double ? Double(left) == Double(right) : Long(left) == Long(right);
        return (left, right) switch
        {
            (string a, string b) => string.Equals(a, b, StringComparison.Ordinal),
            (Undefined, Undefined) => true,
            (List<object?> a, List<object?> b) => a is TupleValue == b is TupleValue && a.Count == b.Count
                && !a.Where((item, i) => !Equals(item, b[i], depth + 1)).Any(),
            (OrderedDictionary<string, object?> a, OrderedDictionary<string, object?> b) => a.Count == b.Count
                && a.All(entry => b.TryGetValue(entry.Key, out var other) && Equals(entry.Value, other, depth + 1)),
            _ => ReferenceEquals(left, right),
        };
    }

    /// <exception cref="TemplateFault">They have no order.</exception>
    public static int Compare(object? left, object? right)
    {
        if (IsNumber(left) && IsNumber(right))
            return left is double || right is double ? Double(left).CompareTo(Double(right)) : Long(left).CompareTo(Long(right));
        return left is string a && right is string b ? CompareCodePoints(a, b)
            : throw (left as Undefined ?? right as Undefined)?.Fault()
                ?? new TemplateFault($"{Kind(left)} and {Kind(right)} have no order");
    }

    /// <summary>A surrogate pair goes behind U+FFFF, as its code point does.</summary>
    private static int CompareCodePoints(string left, string right)
    {
        for (var i = 0; i < Math.Min(left.Length, right.Length); i++)
        {
            if (left[i] == right[i]) continue;
            return char.IsSurrogate(left[i]) == char.IsSurrogate(right[i]) ? left[i] - right[i] : char.IsSurrogate(left[i]) ? 1 : -1;
        }
        return left.Length - right.Length;
    }

    public static bool Contains(object? container, object? value) => container switch
    {
        string text => value is string part ? text.Contains(part, StringComparison.Ordinal)
            : throw new TemplateFault($"{Kind(value)} cannot be in a text"),
        OrderedDictionary<string, object?> map => value is string key && map.ContainsKey(key),
        Undefined => false,
        List<object?> list => list.Exists(item => Equals(item, value)),
        _ => throw new TemplateFault($"nothing is in {Kind(container)}"),
    };

    /// <summary>What a loop goes through: items, keys, code points.</summary>
    public static List<object?> Items(object? value, Budget budget)
    {
        switch (value)
        {
            case List<object?> list:
                return list;
            case OrderedDictionary<string, object?> map:
                budget.Spend(map.Count);
                return [.. map.Keys];
            case string text:
                budget.Spend(text.Length);
                return [.. PythonText.Characters(text)];
            case Undefined:
                return [];
            default:
                throw new TemplateFault($"{Kind(value)} has no items");
        }
    }

    public static long Length(object? value) => value switch
    {
        string text => PythonText.Length(text),
        List<object?> list => list.Count,
        OrderedDictionary<string, object?> map => map.Count,
        Undefined => 0,
        _ => throw new TemplateFault($"{Kind(value)} has no length"),
    };

    /// <summary>As str() writes it.</summary>
    public static string Text(object? value, Budget budget) => value switch
    {
        string text => text,
        Undefined => "",
        _ => Written(value, budget),
    };

    private static string Written(object? value, Budget budget)
    {
        var text = new StringBuilder();
        Write(value, text, budget, 0);
        return text.ToString();
    }

    private static void Write(object? value, StringBuilder text, Budget budget, int depth)
    {
        CheckDepth(depth);
        var before = text.Length;
        switch (value)
        {
            case null:
                text.Append("None");
                break;
            case bool flag:
                text.Append(flag ? "True" : "False");
                break;
            case long number:
                text.Append(number.ToString(CultureInfo.InvariantCulture));
                break;
            case double number:
                text.Append(PythonText.Of(number));
                break;
            case string one:
                text.Append(PythonText.Repr(one));
                break;
            case Undefined:
                text.Append("Undefined");
                break;
            case List<object?> list:
                text.Append(list is TupleValue ? '(' : '[');
                for (var i = 0; i < list.Count; i++)
                {
                    if (i > 0) text.Append(", ");
                    Write(list[i], text, budget, depth + 1);
                }
                text.Append(list is TupleValue ? list.Count == 1 ? ",)" : ")" : "]");
                break;
            case OrderedDictionary<string, object?> map:
                text.Append('{');
                for (var i = 0; i < map.Count; i++)
                {
                    text.Append(i > 0 ? ", " : "").Append(PythonText.Repr(map.GetAt(i).Key)).Append(": ");
                    Write(map.GetAt(i).Value, text, budget, depth + 1);
                }
                text.Append('}');
                break;
            default:
                throw new TemplateFault($"{Kind(value)} is no text");
        }
        budget.Spend(text.Length - before);
    }

    public static object? Add(object? left, object? right, Budget budget)
    {
        switch (left, right)
        {
            case (string a, string b):
                budget.Spend((long)a.Length + b.Length);
                return a + b;
            case (List<object?> a, List<object?> b) when a is TupleValue == b is TupleValue:
                budget.Spend((long)a.Count + b.Count);
                return a is TupleValue ? new TupleValue([.. a, .. b]) : new List<object?>([.. a, .. b]);
            default:
                return Arithmetic("+", left, right, (a, b) => checked(a + b), (a, b) => a + b);
        }
    }

    public static object? Multiply(object? left, object? right, Budget budget)
    {
        if (left is long or bool && right is string or List<object?>) (left, right) = (right, left);
        if (!IsNumber(right) || right is double || left is not (string or List<object?>))
            return Arithmetic("*", left, right, (a, b) => checked(a * b), (a, b) => a * b);
        var times = Math.Max(0, Long(right));
        if (left is string text)
        {
            Spend(text.Length);
            return new StringBuilder().Insert(0, text, (int)(text.Length == 0 ? 0 : times)).ToString();
        }
        var list = (List<object?>)left;
        Spend(list.Count);
        var repeated = Enumerable.Range(0, list.Count == 0 ? 0 : (int)times).SelectMany(_ => list);
        return list is TupleValue ? new TupleValue(repeated) : repeated.ToList();

        void Spend(int length)
        {
            if (length > 0 && times > int.MaxValue) times = int.MaxValue;
            budget.Spend(length * times);
        }
    }

    /// <summary>An operation on two numbers.</summary>
    /// <exception cref="TemplateFault">One is none, or the result is beyond 64 bits.</exception>
    public static object Arithmetic(string operation, object? left, object? right, Func<long, long, long> whole,
        Func<double, double, double> real)
    {
        if (!IsNumber(left) || !IsNumber(right))
            throw (left as Undefined ?? right as Undefined)?.Fault()
                ?? new TemplateFault($"'{operation}' does not go with {Kind(left)} and {Kind(right)}");
        try
        {
            return left is double || right is double ? real(Double(left), Double(right)) : (object)whole(Long(left), Long(right));
        }
        catch (OverflowException)
        {
            throw new TemplateFault($"the result of '{operation}' is beyond 64 bits");
        }
        catch (DivideByZeroException)
        {
            throw new TemplateFault($"'{operation}' divides by zero");
        }
    }

    public static bool IsNumber(object? value) => value is long or double or bool;

    public static double Double(object? value) => value is double number ? number : Long(value);

    public static long Long(object? value) => value is bool flag ? flag ? 1 : 0 : (long)value!;

    public static void CheckDepth(int depth)
    {
        if (depth > MostDepth) throw new TemplateFault($"a value nests more than {MostDepth} deep");
    }
}
