using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Templates;

/// <summary>
/// A template's text as tokens, as jinja2's lexer.py makes them under trim_blocks and lstrip_blocks (transformers sets both): the newline
/// behind a block or a comment goes, and so does the white space between a line's start and one; <c>-</c> takes all white space on its
/// side, <c>+</c> none. One newline at the very end goes too.
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] s_operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",",
    ];

    private readonly string _source;
    private readonly List<TemplateToken> _tokens = [];
    private int _at;
    private int _line = 1;

    /// <summary>Whether what was read last ended in a newline, so that a line starts here; so it is at the beginning.</summary>
    private bool _startsLine = true;

    private TemplateLexer(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
    }

    /// <exception cref="TemplateFault">A tag does not end, or holds what is no token.</exception>
    public static IReadOnlyList<TemplateToken> Read(string source)
    {
        var lexer = new TemplateLexer(source);
        lexer.Read();
        return lexer._tokens;
    }

    private void Read()
    {
        while (_at < _source.Length)
        {
            var tag = NextTag(_at);
            ReadText(tag);
            if (tag == _source.Length) break;
            ReadTag();
        }
        Add(TokenKind.End, "");
    }

    private int NextTag(int from)
    {
        for (var i = from; (i = _source.IndexOf('{', i)) >= 0 && i + 1 < _source.Length; i++)
            if (_source[i + 1] is '%' or '{' or '#') return i;
        return _source.Length;
    }

    /// <summary>The text up to a tag, less the white space that the tag takes from it.</summary>
    private void ReadText(int tag)
    {
        var text = _source[_at..tag];
        if (tag < _source.Length) text = Stripped(text, tag, _startsLine);
        if (text.Length > 0) Add(TokenKind.Text, text);
        Pass(tag);
    }

    private string Stripped(string text, int tag, bool startsLine)
    {
        var sign = tag + 2 < _source.Length ? _source[tag + 2] : ' ';
        if (sign == '-') return PythonText.TrimEnd(text);
        if (sign == '+' || _source[tag + 1] == '{') return text;
        var lineStart = text.LastIndexOf('\n') + 1;
        return (lineStart > 0 || startsLine) && text.AsSpan(lineStart).IndexOfAnyExcept(PythonText.Spaces) < 0 ? text[..lineStart] : text;
    }

    private void ReadTag()
    {
        var kind = _source[_at + 1];
        if (kind == '#')
        {
            var begin = SkipSign(_at + 2);
            var end = _source.IndexOf("#}", begin, StringComparison.Ordinal);
            if (end < 0) throw new TemplateFault("the comment does not end ('#}' is missing)", _line);
            Pass(end);
            EndTag(end > begin ? _source[end - 1] : ' ');
            return;
        }
        if (kind == '%' && RawEnd() is var (text, behind))
        {
            if (text.Length > 0) Add(TokenKind.Text, text);
            Pass(behind);
            EndTag(_source[behind - 1]);
            return;
        }
        Add(kind == '%' ? TokenKind.BlockBegin : TokenKind.VariableBegin, "");
        Pass(SkipSign(_at + 2));
        ReadInside(kind == '%' ? "%}" : "}}");
    }

    private int SkipSign(int at) => at < _source.Length && _source[at] is '-' or '+' ? at + 1 : at;

    /// <summary>What stands between raw and endraw where the tag here is raw, and the place of the '%}' behind endraw.</summary>
    private (string Text, int End)? RawEnd()
    {
        if (Word(_at, "raw") is not { } end) return null;
        var begin = end + 2;
        if (_source[end - 1] == '-')
            while (begin < _source.Length && PythonText.IsSpace(_source[begin])) begin++;
        for (var i = begin; (i = _source.IndexOf("{%", i, StringComparison.Ordinal)) >= 0; i += 2)
            if (Word(i, "endraw") is { } close) return (Stripped(_source[begin..i], i, startsLine: false), close);
        throw new TemplateFault("raw does not end ('{% endraw %}' is missing)", _line);
    }

    /// <summary>Where the tag that begins here has this one word: the place of its '%}'.</summary>
    private int? Word(int tag, string word)
    {
        var at = SkipSpaces(SkipSign(tag + 2));
        if (string.CompareOrdinal(_source, at, word, 0, word.Length) != 0) return null;
        at = SkipSign(SkipSpaces(at + word.Length));
        return string.CompareOrdinal(_source, at, "%}", 0, 2) == 0 ? at : null;
    }

    private int SkipSpaces(int at)
    {
        while (at < _source.Length && PythonText.IsSpace(_source[at])) at++;
        return at;
    }

    /// <summary>At the two characters that end a tag, and what white space they take behind it.</summary>
    private void EndTag(char sign)
    {
        var variable = _source[_at] == '}';
        var end = _at + 2;
        if (sign == '-') end = SkipSpaces(end);
        else if (sign != '+' && !variable && end < _source.Length && _source[end] == '\n') end++;
        Pass(end);
        _startsLine = _source[end - 1] == '\n';
    }

    private void ReadInside(string close)
    {
        var open = new Stack<char>();
        while (true)
        {
            Pass(SkipSpaces(_at));
            if (_at >= _source.Length) throw new TemplateFault($"the tag does not end ('{close}' is missing)", _line);
            var c = _source[_at];
            if (open.Count == 0)
            {
                var signed = c is '-' or '+' && !(c == '+' && close == "}}") ? 1 : 0;
                if (string.CompareOrdinal(_source, _at + signed, close, 0, 2) == 0)
                {
                    Pass(_at + signed);
                    Add(close == "%}" ? TokenKind.BlockEnd : TokenKind.VariableEnd, "");
                    EndTag(signed == 1 ? c : ' ');
                    return;
                }
            }
            if (c is '\'' or '"') ReadString(c);
            else if (char.IsAsciiDigit(c)) ReadNumber();
            else if (c == '_' || char.IsLetter(c)) ReadName();
            else ReadOperator(open);
        }
    }

    private void ReadName()
    {
        var end = _at;
        while (end < _source.Length && (_source[end] == '_' || char.IsLetterOrDigit(_source[end]))) end++;
        Take(TokenKind.Name, end);
    }

    private void ReadNumber()
    {
        var end = Digits(_at);
        var isFloat = false;
        if (end + 1 < _source.Length && _source[end] == '.' && char.IsAsciiDigit(_source[end + 1]))
            (end, isFloat) = (Digits(end + 1), true);
        if (end < _source.Length && _source[end] is 'e' or 'E')
        {
            var digits = end + 1 < _source.Length && _source[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (digits < _source.Length && char.IsAsciiDigit(_source[digits])) (end, isFloat) = (Digits(digits), true);
        }
        if (end < _source.Length && (char.IsLetterOrDigit(_source[end]) || _source[end] == '_'))
            throw new TemplateFault($"'{_source[_at..(end + 1)]}' is no number of the supported form", _line);
        Take(isFloat ? TokenKind.Float : TokenKind.Integer, end);

        int Digits(int from)
        {
            while (from < _source.Length && char.IsAsciiDigit(_source[from])) from++;
            return from;
        }
    }

    private void ReadOperator(Stack<char> open)
    {
        var found = s_operators.FirstOrDefault(one => string.CompareOrdinal(_source, _at, one, 0, one.Length) == 0)
            ?? throw new TemplateFault($"the character '{_source[_at]}' (U+{(int)_source[_at]:X4}) has no meaning here", _line);
        if (found is "(" or "[" or "{") open.Push(found == "(" ? ')' : found == "[" ? ']' : '}');
        if (found is ")" or "]" or "}" && (!open.TryPop(out var expected) || expected != found[0]))
            throw new TemplateFault($"'{found}' closes nothing that is open", _line);
        Take(TokenKind.Operator, _at + found.Length);
    }

    /// <summary>A literal with the escapes of Python's unicode-escape.</summary>
    private void ReadString(char quote)
    {
        var text = new StringBuilder();
        var at = _at + 1;
        for (; at < _source.Length && _source[at] != quote; at++)
        {
            if (_source[at] != '\\')
            {
                text.Append(_source[at]);
                continue;
            }
            if (++at == _source.Length) break;
            at = Escape(at, text);
        }
        if (at >= _source.Length) throw new TemplateFault("the text does not end (its quotation mark is missing)", _line);
        Add(TokenKind.String, text.ToString());
        Pass(at + 1);
    }

    /// <param name="at">Behind the backslash.</param>
    /// <returns>The place of the escape's last character.</returns>
    private int Escape(int at, StringBuilder text)
    {
        var c = _source[at];
        var plain = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
        for (var i = 0; i < plain.Length; i += 2)
        {
            if (plain[i] != c) continue;
            text.Append(plain[i + 1]);
            return at;
        }
        switch (c)
        {
            case '\n':
                return at;
            case 'x' or 'u' or 'U':
                var digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
                if (at + digits >= _source.Length
                    || !int.TryParse(_source.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                        out var code)
                    || code is < 0 or > 0x10FFFF)
                    throw new TemplateFault($"'\\{c}' is not followed by {digits} hexadecimal digits of a character", _line);
                text.Append(code < 0x10000 ? ((char)code).ToString() : char.ConvertFromUtf32(code));
                return at + digits;
            case >= '0' and <= '7' or 'N':
                throw new TemplateFault($"the escape '\\{c}' is not supported", _line);
            default:
                text.Append('\\').Append(c);
                return at;
        }
    }

    private void Take(TokenKind kind, int end)
    {
        Add(kind, _source[_at..end]);
        Pass(end);
    }

    private void Add(TokenKind kind, string text) => _tokens.Add(new(kind, text, _line));

    /// <summary>Goes on from there, counting lines.</summary>
    private void Pass(int to)
    {
        _line += _source.AsSpan(_at, to - _at).Count('\n');
        _at = to;
    }
}
