using System.Text.Json;
using System.Text.Unicode;

namespace Harness.Common;

/// <summary>
/// Texts of JSON that are none: broken UTF-8, or half of a surrogate pair (<c>"\ud800"</c>). A reader finds them where it asks for the
/// text, which may be in the midst of something else.
/// </summary>
public static class JsonTexts
{
    /// <summary>Looks at each name and value only where there is reason to: of most files two passes over the bytes.</summary>
    /// <exception cref="JsonException">One of them is not valid Unicode; its line is named.</exception>
    public static void Check(ReadOnlySpan<byte> json, JsonReaderOptions options = default)
    {
        if (Utf8.IsValid(json) && json.IndexOf("\\ud"u8) < 0 && json.IndexOf("\\uD"u8) < 0) return;
        var reader = new Utf8JsonReader(json, options);
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName)) continue;
            try
            {
                reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                var line = json[..(int)reader.TokenStartIndex].Count((byte)'\n');
                throw new JsonException($"a text in line {line + 1} is not valid Unicode", null, line, null, e);
            }
        }
    }
}
