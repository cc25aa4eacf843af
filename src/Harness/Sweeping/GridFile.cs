using System.Text;
using System.Text.Json;
using Harness.Common;
using Harness.Configuration;

namespace Harness.Sweeping;

/// <summary>One key of a grid with the values that it takes, as text; a dimension where they stood in a list.</summary>
internal sealed record GridKey(Setting Setting, IReadOnlyList<string> Values, bool IsDimension);

/// <summary>A configuration file in which any value may be a list.</summary>
internal static class GridFile
{
    /// <summary>As lenient as the configuration files of <c>harness run</c>.</summary>
    private static readonly JsonDocumentOptions s_lenient =
        new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    private static readonly JsonReaderOptions s_alike =
        new() { CommentHandling = s_lenient.CommentHandling, AllowTrailingCommas = s_lenient.AllowTrailingCommas };

    /// <summary>The keys in the file's order.</summary>
    /// <exception cref="UserErrorException">It is no JSON object of known keys, or a value is neither plain nor a list of plain
    /// ones.</exception>
    public static IReadOnlyList<GridKey> Read(string file)
    {
        using var document = Parse(file);
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw new UserErrorException($"configuration file '{file}' holds no sections; "
                + "it begins with { and names them: { \"Batch\": { \"Size\": [1, 2] } }");
        var keys = new List<GridKey>();
        foreach (var key in Keys("", document.RootElement))
        {
            if (keys.Any(other => other.Setting == key.Setting))
                throw new UserErrorException($"configuration file '{file}' gives {key.Setting.Key} twice");
            keys.Add(key);
        }
        return keys;
    }

    private static JsonDocument Parse(string file)
    {
        if (!File.Exists(file)) throw new UserErrorException($"configuration file '{file}' does not exist; --config takes a JSON file");
        RegularFile.Require(file);
        try
        {
            var text = File.ReadAllText(file);
            JsonTexts.Check(Encoding.UTF8.GetBytes(text), s_alike);
            return JsonDocument.Parse(text, s_lenient);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"configuration file '{file}' is not valid JSON: {e.Message.ReplaceLineEndings(" ")}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"cannot read configuration file '{file}': {e.Message}", e);
        }
    }

    private static IEnumerable<GridKey> Keys(string path, JsonElement tree)
    {
        foreach (var property in tree.EnumerateObject())
        {
            var key = path.Length == 0 ? property.Name : $"{path}:{property.Name}";
            if (property.Value.ValueKind == JsonValueKind.Object)
            {
                foreach (var inner in Keys(key, property.Value)) yield return inner;
                continue;
            }
            var known = Settings.Known(key);
            yield return property.Value.ValueKind == JsonValueKind.Array
                ? List(known, property.Value)
                : new(known, [Plain(known, property.Value)], IsDimension: false);
        }
    }

    private static GridKey List(Setting setting, JsonElement list)
    {
        if (list.GetArrayLength() == 0)
            throw new UserErrorException($"{setting.Named} is an empty list; give its values, or leave the key out for its default");
        if (list.EnumerateArray().Any(item => item.ValueKind is JsonValueKind.Array or JsonValueKind.Object))
            throw new UserErrorException(
                $"{setting.Named} is a list of lists or sections; a dimension is a list of plain values, such as [1, 2]");
        return new(setting, [.. list.EnumerateArray().Select(item => Plain(setting, item))], IsDimension: true);
    }

    private static string Plain(Setting setting, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => throw new UserErrorException($"{setting.Named} is null; leave the key out for its default"),
    };
}
