namespace Harness.Models.Llama.Templates;

internal enum TokenKind
{
    /// <summary>Between tags.</summary>
    Text,
    BlockBegin,
    BlockEnd,
    VariableBegin,
    VariableEnd,
    Name,

    /// <summary>A literal, its escapes resolved.</summary>
    String,
    Integer,
    Float,
    Operator,
    End,
}

/// <param name="Line">From 1.</param>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Line)
{
    public bool Is(string operation) => Kind == TokenKind.Operator && Text == operation;

    public bool IsName(string name) => Kind == TokenKind.Name && Text == name;

    /// <summary>For messages.</summary>
    public string Shown => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.Text => "text",
        TokenKind.BlockBegin => "'{%'",
        TokenKind.BlockEnd => "'%}'",
        TokenKind.VariableBegin => "'{{'",
        TokenKind.VariableEnd => "'}}'",
        _ => $"'{(Text.Length > 40 ? Text[..40] + "…" : Text)}'",
    };
}
