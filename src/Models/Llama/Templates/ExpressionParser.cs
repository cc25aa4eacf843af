using System.Globalization;

namespace Harness.Models.Llama.Templates;

/// <summary>Expressions, with the precedence of jinja2's parser.py.</summary>
internal sealed class ExpressionParser(TokenReader tokens)
{
    private static readonly HashSet<string> s_comparisons = ["==", "!=", "<", "<=", ">", ">="];

    /// <summary>One expression, or several with commas between them, which are a tuple.</summary>
    public Expression ReadTuple() => ReadTuple(ReadExpression);

    /// <summary>As <see cref="ReadTuple()"/>, where an if that follows belongs to the statement.</summary>
    public Expression ReadTupleBeforeIf() => ReadTuple(ReadOr);

    private Expression ReadTuple(Func<Expression> read)
    {
        var line = tokens.Line;
        var first = read();
        if (!tokens.Current.Is(",")) return first;
        List<Expression> items = [first];
        while (tokens.Skip(",") && !EndsTuple()) items.Add(read());
        return new TupleLiteral(line, items);
    }

    private bool EndsTuple() => tokens.Current.Kind is TokenKind.VariableEnd or TokenKind.BlockEnd || tokens.Current.Is(")");

    public Expression ReadExpression() => tokens.Nested(ReadConditional);

    private Expression ReadConditional()
    {
        var line = tokens.Line;
        var value = ReadOr();
        while (tokens.SkipName("if"))
        {
            var test = ReadOr();
            value = new Conditional(line, test, value, tokens.SkipName("else") ? ReadExpression() : null);
        }
        return value;
    }

    public Expression ReadOr()
    {
        var line = tokens.Line;
        var left = ReadAnd();
        while (tokens.SkipName("or")) left = new Or(line, left, ReadAnd());
        return left;
    }

    private Expression ReadAnd()
    {
        var line = tokens.Line;
        var left = ReadNot();
        while (tokens.SkipName("and")) left = new And(line, left, ReadNot());
        return left;
    }

    private Expression ReadNot()
    {
        var line = tokens.Line;
        return tokens.SkipName("not") ? new Not(line, tokens.Nested(ReadNot)) : ReadComparison();
    }

    private Expression ReadComparison()
    {
        var line = tokens.Line;
        var first = ReadSum();
        List<(string, Expression)> rest = [];
        while (true)
        {
            if (tokens.Current.Kind == TokenKind.Operator && s_comparisons.Contains(tokens.Current.Text))
                rest.Add((tokens.Take().Text, ReadSum()));
            else if (tokens.SkipName("in")) rest.Add(("in", ReadSum()));
            else if (tokens.Current.IsName("not") && tokens.Following.IsName("in"))
            {
                tokens.Take();
                tokens.Take();
                rest.Add(("not in", ReadSum()));
            }
            else return rest.Count == 0 ? first : new Comparison(line, first, rest);
        }
    }

    private Expression ReadSum() => ReadBinary(ReadJoined, "+", "-");

    private Expression ReadJoined() => ReadBinary(ReadProduct, "~");

    private Expression ReadProduct() => ReadBinary(ReadPower, "*", "/", "//", "%");

    private Expression ReadPower() => ReadBinary(ReadUnary, "**");

    private Expression ReadBinary(Func<Expression> operand, params ReadOnlySpan<string> operations)
    {
        var line = tokens.Line;
        var left = operand();
        while (tokens.Current.Kind == TokenKind.Operator && operations.Contains(tokens.Current.Text))
            left = new Binary(line, tokens.Take().Text, left, operand());
        return left;
    }

    private Expression ReadUnary() => ReadFilters(ReadSigned());

    /// <summary>A sign binds closer than a filter, and a member closer than a sign.</summary>
    private Expression ReadSigned()
    {
        var line = tokens.Line;
        if (tokens.Skip("-")) return new Negation(line, tokens.Nested(ReadSigned));
        if (tokens.Skip("+")) return tokens.Nested(ReadSigned);
        return ReadMembers(ReadPrimary());
    }

    private Expression ReadPrimary()
    {
        var token = tokens.Current;
        switch (token.Kind)
        {
            case TokenKind.Name:
                tokens.Take();
                return token.Text switch
                {
                    "true" or "True" => new Literal(token.Line, true),
                    "false" or "False" => new Literal(token.Line, false),
                    "none" or "None" => new Literal(token.Line, null),
                    _ => new Name(token.Line, token.Text),
                };
            case TokenKind.String:
                var text = tokens.Take().Text;
                while (tokens.Current.Kind == TokenKind.String) text += tokens.Take().Text;
                return new Literal(token.Line, text);
            case TokenKind.Integer:
                tokens.Take();
                return new Literal(token.Line, long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole)
                    ? whole : throw new TemplateFault($"{token.Shown} is beyond 64 bits", token.Line));
            case TokenKind.Float:
                tokens.Take();
                return new Literal(token.Line, double.Parse(token.Text, CultureInfo.InvariantCulture));
            default:
                return ReadEnclosed();
        }
    }

    private Expression ReadEnclosed()
    {
        var line = tokens.Line;
        if (tokens.Skip("("))
        {
            if (tokens.Skip(")")) return new TupleLiteral(line, []);
            var inner = ReadTuple();
            tokens.Expect(")");
            return inner;
        }
        if (tokens.Skip("[")) return new ListLiteral(line, ReadList("]", ReadExpression));
        if (tokens.Skip("{"))
            return new MapLiteral(line, ReadList("}", () =>
            {
                var key = ReadExpression();
                tokens.Expect(":");
                return (key, ReadExpression());
            }));
        throw tokens.Unexpected("a value");
    }

    /// <summary>With commas between them and, where wanted, behind the last.</summary>
    private List<T> ReadList<T>(string close, Func<T> read)
    {
        List<T> items = [];
        while (!tokens.Skip(close))
        {
            if (items.Count > 0)
            {
                tokens.Expect(",");
                if (tokens.Skip(close)) break;
            }
            items.Add(read());
        }
        return items;
    }

    /// <summary>.name, [key], [from:to] and (arguments).</summary>
    private Expression ReadMembers(Expression value)
    {
        while (true)
        {
            var line = tokens.Line;
            if (tokens.Skip("."))
                value = tokens.Current.Kind == TokenKind.Integer ? new Subscript(line, value, ReadPrimary())
                    : new Attribute(line, value, tokens.Expect(TokenKind.Name).Text);
            else if (tokens.Skip("[")) value = ReadSubscript(line, value);
            else if (tokens.Current.Is("(")) value = new Call(line, value, ReadArguments());
            else return value;
        }
    }

    private Expression ReadSubscript(int line, Expression value)
    {
        var first = tokens.Current.Is(":") ? null : ReadExpression();
        if (first != null && tokens.Skip("]")) return new Subscript(line, value, first);
        tokens.Expect(":");
        var to = tokens.Current.Is(":") || tokens.Current.Is("]") ? null : ReadExpression();
        var step = tokens.Skip(":") && !tokens.Current.Is("]") ? ReadExpression() : null;
        tokens.Expect("]");
        return new Slice(line, value, first, to, step);
    }

    private ArgumentList ReadArguments()
    {
        tokens.Expect("(");
        List<Expression> positional = [];
        List<(string, Expression)> named = [];
        ReadList(")", () =>
        {
            if (tokens.Current.Is("*") || tokens.Current.Is("**"))
                throw new TemplateFault($"{tokens.Current.Shown} in front of an argument is not supported", tokens.Line);
            if (tokens.Current.Kind == TokenKind.Name && tokens.Following.Is("="))
            {
                var name = tokens.Take();
                tokens.Take();
                if (named.Exists(one => one.Item1 == name.Text))
                    throw new TemplateFault($"the argument {name.Shown} is given twice", name.Line);
                named.Add((name.Text, ReadExpression()));
            }
            else if (named.Count > 0) throw tokens.Unexpected("an argument with its name");
            else positional.Add(ReadExpression());
            return 0;
        });
        return new(positional, named);
    }

    /// <summary>| filter and is test.</summary>
    private Expression ReadFilters(Expression value)
    {
        while (true)
        {
            if (tokens.Skip("|")) value = ReadFilter(value);
            else if (tokens.SkipName("is")) value = ReadTest(value);
            // what a filter or a test gave is not called in any published template
            else return value;
        }
    }

    private Expression ReadFilter(Expression value)
    {
        var name = tokens.Expect(TokenKind.Name);
        var filter = Filters.Find(name.Text)
            ?? throw new TemplateFault($"the filter {name.Shown} is not supported; known are {Filters.Known}", name.Line);
        return new Filtered(name.Line, value, name.Text, filter, tokens.Current.Is("(") ? ReadArguments() : ArgumentList.None);
    }

    private Expression ReadTest(Expression value)
    {
        var isNegated = tokens.SkipName("not");
        var name = tokens.Expect(TokenKind.Name);
        var test = Tests.Find(name.Text)
            ?? throw new TemplateFault($"the test {name.Shown} is not supported; known are {Tests.Known}", name.Line);
        var arguments = tokens.Current.Is("(") ? ReadArguments() : StartsArgument()
            ? new([ReadMembers(ReadPrimary())], []) : ArgumentList.None;
        Expression tested = new Tested(name.Line, value, name.Text, test, arguments);
        return isNegated ? new Not(name.Line, tested) : tested;
    }

    /// <summary>An argument without parentheses: is divisibleby 3.</summary>
    private bool StartsArgument() => tokens.Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float
        || tokens.Current.Is("[") || tokens.Current.Is("{")
        || (tokens.Current.Kind == TokenKind.Name && tokens.Current.Text is not ("else" or "or" or "and" or "is" or "if" or "not" or "in"
            or "recursive"));
}
