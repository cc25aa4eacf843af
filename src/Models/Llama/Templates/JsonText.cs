using System.Text;

namespace Harness.Models.Llama.Templates;

/// <summary>
/// The filter tojson as transformers has it (<c>tojson</c> in utils/chat_template_utils.py): Python's json.dumps with ensure_ascii off,
/// nothing escaped for HTML.
/// </summary>
internal sealed class JsonText
{
    private readonly StringBuilder _text = new();
    private readonly Budget _budget;
    private readonly string? _indent;
    private readonly string _between;
    private readonly string _colon;
    private readonly bool _isSorted;
    private readonly bool _isAscii;

    public static string Write(object? value, Arguments given)
    {
        var json = new JsonText(given);
        json.Append(value, 0);
        return json._text.ToString();
    }

    private JsonText(Arguments given)
    {
        var bound = given.Bind(0, "ensure_ascii", "indent", "separators", "sort_keys");
        _budget = given.Budget;
        _isAscii = bound[0] != null && Values.Truth(bound[0]);
        _indent = bound[1] switch
        {
            null => null,
            string text => text,
            var spaces => new string(' ', (int)Math.Clamp(given.Whole(spaces), 0, 100)),
        };
        (_between, _colon) = bound[2] switch
        {
            null => (_indent == null ? ", " : ",", ": "),
            List<object?> and [string between, string colon] => (between, colon),
            _ => throw new TemplateFault("'tojson' is given separators that are not two texts"),
        };
        _isSorted = bound[3] != null && Values.Truth(bound[3]);
    }

    private void Append(object? value, int depth)
    {
        Values.CheckDepth(depth);
        var before = _text.Length;
        switch (value)
        {
            case null:
                _text.Append("null");
                break;
            case bool flag:
                _text.Append(flag ? "true" : "false");
                break;
            case long number:
                _text.Append(number);
                break;
            case double number:
                _text.Append(double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity"
                    : PythonText.Of(number));
                break;
            case string text:
                AppendText(text);
                break;
            case List<object?> list:
                Enclose("[", list.Count, i => Append(list[i], depth + 1), "]", depth);
                break;
            case OrderedDictionary<string, object?> map:
                var keys = _isSorted ? [.. map.Keys.Order(Comparer<string>.Create((a, b) => Values.Compare(a, b)))] : map.Keys.ToList();
                Enclose("{", keys.Count, i =>
                {
                    AppendText(keys[i]);
                    _text.Append(_colon);
                    Append(map[keys[i]], depth + 1);
                }, "}", depth);
                break;
            default:
                throw (value as Undefined)?.Fault() ?? new TemplateFault($"{Values.Kind(value)} has no JSON");
        }
        _budget.Spend(_text.Length - before);
    }

    private void Enclose(string open, int count, Action<int> item, string close, int depth)
    {
        _text.Append(open);
        for (var i = 0; i < count; i++)
        {
            if (i > 0) _text.Append(_between);
            NewLine(depth + 1);
            item(i);
        }
        if (count > 0) NewLine(depth);
        _text.Append(close);
    }

    private void NewLine(int depth)
    {
        if (_indent == null) return;
        _budget.Spend((long)_indent.Length * depth);
        _text.Append('\n').Insert(_text.Length, _indent, depth);
    }

    private void AppendText(string text)
    {
        _text.Append('"');
        foreach (var c in text)
            _text.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\f' => "\\f",
                '\b' => "\\b",
                _ when c < ' ' || (_isAscii && c > '~') => $"\\u{(int)c:x4}",
                _ => c.ToString(),
            });
        _text.Append('"');
    }
}
