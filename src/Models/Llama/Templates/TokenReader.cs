namespace Harness.Models.Llama.Templates;

/// <summary>Goes through a template's tokens, and counts how deep what it reads is nested.</summary>
internal sealed class TokenReader(IReadOnlyList<TemplateToken> tokens)
{
    private const int MostNested = 60;      // a level is up to a dozen frames of the parser

    private int _at;
    private int _nested;

    public TemplateToken Current => tokens[_at];

    /// <summary>The token behind the current one; the end of the template is behind itself.</summary>
    public TemplateToken Following => tokens[Math.Min(_at + 1, tokens.Count - 1)];

    public int Line => Current.Line;

    /// <summary>The current token, and goes on.</summary>
    public TemplateToken Take()
    {
        var token = Current;
        if (_at < tokens.Count - 1) _at++;
        return token;
    }

    public bool Skip(string operation)
    {
        if (!Current.Is(operation)) return false;
        Take();
        return true;
    }

    public bool SkipName(string name)
    {
        if (!Current.IsName(name)) return false;
        Take();
        return true;
    }

    public void Expect(string operation)
    {
        if (!Skip(operation)) throw Unexpected($"'{operation}'");
    }

    public void ExpectName(string name)
    {
        if (!SkipName(name)) throw Unexpected($"'{name}'");
    }

    public TemplateToken Expect(TokenKind kind) => Current.Kind == kind ? Take()
        : throw Unexpected(kind == TokenKind.Name ? "a name" : new TemplateToken(kind, "", 0).Shown);

    public TemplateFault Unexpected(string expected) => new($"{Current.Shown} stands where {expected} is expected", Line);

    /// <summary>Reads what lies one level deeper.</summary>
    public T Nested<T>(Func<T> read)
    {
        if (++_nested > MostNested) throw new TemplateFault($"it nests more than {MostNested} deep", Line);
        var result = read();
        _nested--;
        return result;
    }
}
