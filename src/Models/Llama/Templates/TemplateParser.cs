namespace Harness.Models.Llama.Templates;

/// <summary>
/// A template's statements, as jinja2's parser.py reads them, with transformers' extensions: break, continue, generation.
/// </summary>
internal sealed class TemplateParser
{
    private readonly TokenReader _tokens;
    private readonly ExpressionParser _expressions;

    /// <summary>Loops around what is read; 0 again within a macro.</summary>
    private int _loops;

    private TemplateParser(string source)
    {
        _tokens = new(TemplateLexer.Read(source));
        _expressions = new(_tokens);
    }

    /// <exception cref="TemplateFault">It is no template, or asks for something that is not supported.</exception>
    public static IReadOnlyList<Statement> Parse(string source) => new TemplateParser(source).ReadBody("", []);

    /// <summary>Up to a tag that ends it, whose name is read; the rest of that tag is not.</summary>
    /// <param name="tag">What it is the body of, for messages; empty for the whole template.</param>
    private List<Statement> ReadBody(string tag, string[] ends)
    {
        List<Statement> body = [];
        var begun = _tokens.Line;
        while (true)
        {
            var token = _tokens.Take();
            switch (token.Kind)
            {
                case TokenKind.End when ends.Length == 0:
                    return body;
                case TokenKind.End:
                    throw new TemplateFault($"'{tag}' does not end ('{ends[^1]}' is missing)", begun);
                case TokenKind.Text:
                    body.Add(new TextStatement(token.Line, token.Text));
                    break;
                case TokenKind.VariableBegin:
                    body.Add(new OutputStatement(token.Line, _expressions.ReadTuple()));
                    _tokens.Expect(TokenKind.VariableEnd);
                    break;
                default:
                    if (_tokens.Current.Kind == TokenKind.Name && ends.Contains(_tokens.Current.Text)) return body;
                    body.Add(_tokens.Nested(ReadStatement));
                    break;
            }
        }
    }

    /// <summary>Up to the tag that ends the body, with that tag.</summary>
    private List<Statement> ReadBodyToEnd(string tag)
    {
        var body = ReadBody(tag, [$"end{tag}"]);
        _tokens.Take();
        EndTag();
        return body;
    }

    private void EndTag() => _tokens.Expect(TokenKind.BlockEnd);

    private Statement ReadStatement()
    {
        var name = _tokens.Expect(TokenKind.Name);
        switch (name.Text)
        {
            case "if":
                return ReadIf(name.Line);
            case "for":
                return ReadFor(name.Line);
            case "set":
                return ReadSet(name.Line);
            case "macro":
                return ReadMacro(name.Line);
            case "generation":
                EndTag();
                return new BodyStatement(name.Line, ReadBodyToEnd("generation"));
            case "break" or "continue":
                if (_loops == 0) throw new TemplateFault($"{name.Shown} stands in no loop", name.Line);
                EndTag();
                return new JumpStatement(name.Line, name.Text == "break" ? Flow.Break : Flow.Continue);
            case "elif" or "else" or "endif" or "endfor" or "endset" or "endmacro" or "endgeneration" or "endraw":
                throw new TemplateFault($"{name.Shown} ends nothing that is open", name.Line);
            default:
                throw new TemplateFault($"the tag {name.Shown} is not supported; known are break, continue, for, generation, if, "
                    + "macro, raw, set", name.Line);
        }
    }

    private IfStatement ReadIf(int line)
    {
        List<(Expression, IReadOnlyList<Statement>)> branches = [];
        while (true)
        {
            var test = _expressions.ReadTupleBeforeIf();
            EndTag();
            branches.Add((test, ReadBody("if", ["elif", "else", "endif"])));
            var end = _tokens.Take();
            if (end.Text == "elif") continue;
            EndTag();
            if (end.Text == "else") branches.Add((new Literal(end.Line, true), ReadBodyToEnd("if")));
            return new(line, branches);
        }
    }

    private ForStatement ReadFor(int line)
    {
        var target = ReadTarget("in");
        _tokens.ExpectName("in");
        var items = _expressions.ReadTupleBeforeIf();
        var condition = _tokens.SkipName("if") ? _expressions.ReadExpression() : null;
        if (_tokens.Current.IsName("recursive")) throw new TemplateFault("'recursive' loops are not supported", _tokens.Line);
        EndTag();
        _loops++;
        var body = ReadBody("for", ["else", "endfor"]);
        _loops--;
        var end = _tokens.Take();
        EndTag();
        return new(line, target, items, condition, body, end.Text == "else" ? ReadBodyToEnd("for") : []);
    }

    private Statement ReadSet(int line)
    {
        var target = ReadTarget("=");
        if (_tokens.Skip("="))
        {
            var value = _expressions.ReadTuple();
            EndTag();
            return new SetStatement(line, target, value);
        }
        if (_tokens.Current.Is("|")) throw new TemplateFault("a filter of a 'set' block is not supported", _tokens.Line);
        EndTag();
        return new SetBlockStatement(line, target, ReadBodyToEnd("set"));
    }

    /// <param name="end">What stands behind it, a name or an operator.</param>
    private Target ReadTarget(string end)
    {
        List<Target> parts = [];
        do
        {
            if (parts.Count > 0 && (_tokens.Current.Is(end) || _tokens.Current.IsName(end))) break;
            if (_tokens.Skip("("))
            {
                parts.Add(_tokens.Nested(() => ReadTarget(")")));
                _tokens.Expect(")");
                continue;
            }
            var name = _tokens.Expect(TokenKind.Name);
            if (name.Text is "true" or "false" or "none" or "True" or "False" or "None" or "loop" or "not" or "if" or "in" or "is")
                throw new TemplateFault($"nothing can be assigned to {name.Shown}", name.Line);
            parts.Add(end == "=" && _tokens.Skip(".") ? new AttributeTarget(name.Text, _tokens.Expect(TokenKind.Name).Text)
                : new NameTarget(name.Text));
        }
        while (_tokens.Skip(","));
        return parts.Count == 1 ? parts[0] : new SeveralTarget(parts);
    }

    private MacroStatement ReadMacro(int line)
    {
        var name = _tokens.Expect(TokenKind.Name).Text;
        List<(string, Expression?)> parameters = [];
        _tokens.Expect("(");
        while (!_tokens.Skip(")"))
        {
            if (parameters.Count > 0) _tokens.Expect(",");
            parameters.Add((_tokens.Expect(TokenKind.Name).Text, _tokens.Skip("=") ? _expressions.ReadExpression() : null));
        }
        EndTag();
        var around = _loops;
        _loops = 0;
        var body = ReadBodyToEnd("macro");
        _loops = around;
        return new(line, name, parameters, body);
    }
}
