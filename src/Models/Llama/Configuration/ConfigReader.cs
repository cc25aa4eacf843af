using System.Globalization;
using System.Text.Json;
using Harness.Common;

namespace Harness.Models.Llama.Configuration;

/// <summary>Typed look-ups in a <c>config.json</c>; a wrong value is refused by key, value and file.</summary>
internal sealed class ConfigReader
{
    private readonly JsonElement _root;
    private readonly string _source;

    /// <summary>A line for each thing that the file says and that is not followed.</summary>
    public List<string> Notes { get; }

    /// <exception cref="UserErrorException">A key asks for something that is not done here.</exception>
    public ConfigReader(JsonElement root, string source) : this(root, source, CheckpointKeys.Config, []) { }

    private ConfigReader(JsonElement root, string source, KeyRules keys, List<string> notes)
    {
        (_root, _source, Notes) = (root, source, notes);
        notes.AddRange(keys.Check(root, source));
    }

    /// <summary>Whether the key stands there at all, be it as null.</summary>
    public bool Mentions(string key) => _root.ValueKind == JsonValueKind.Object && _root.TryGetProperty(key, out _);

    public bool Has(string key) =>
        _root.ValueKind == JsonValueKind.Object && _root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>Null where it is absent or empty.</summary>
    public ConfigReader? Section(string key, KeyRules keys) =>
        !Has(key) ? null
        : _root.GetProperty(key) is { ValueKind: JsonValueKind.Object } section
            ? section.GetPropertyCount() == 0 ? null : new(section, $"{_source}, {key}", keys, Notes)
        : throw Refuse(key, _root.GetProperty(key), "an object is expected");

    /// <summary>A string, or the first of a list of strings; null where absent.</summary>
    public string? Text(string key)
    {
        if (!Has(key)) return null;
        var value = _root.GetProperty(key);
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0) value = value[0];
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Refuse(key, value, "a word is expected");
    }

    public bool Bool(string key, bool otherwise) => !Has(key) ? otherwise : _root.GetProperty(key).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Refuse(key, _root.GetProperty(key), "true or false is expected"),
    };

    /// <summary>A whole number of at least 0.</summary>
    public int Count(string key, int otherwise)
    {
        if (!Has(key)) return otherwise;
        var value = _root.GetProperty(key);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0
            ? number
            : throw Refuse(key, value, "a whole number of at least 0 is expected");
    }

    /// <summary>A list of words; empty where absent.</summary>
    public IReadOnlyList<string> Words(string key)
    {
        if (!Has(key)) return [];
        var value = _root.GetProperty(key);
        return value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(word => word.ValueKind == JsonValueKind.String)
            ? [.. value.EnumerateArray().Select(word => word.GetString() ?? "")]
            : throw Refuse(key, value, "a list of words is expected");
    }

    /// <summary>A whole number of at least 1.</summary>
    /// <param name="most">Far beyond every model there is: a number above it is no size, but a mistake or damage.</param>
    public int Int(string key, int most, int? otherwise = null)
    {
        if (!Has(key)) return otherwise ?? throw new UserErrorException($"{_source} lacks '{key}'; is this a LLaMA checkpoint?");
        var value = _root.GetProperty(key);
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt32(out var number) || number < 1)
            throw Refuse(key, value, "a whole number of at least 1 is expected");
        return number <= most ? number : throw Refuse(key, value, FormattableString.Invariant($"at most {most} is expected"));
    }

    public float Float(string key, float otherwise)
    {
        if (!Has(key)) return otherwise;
        var value = _root.GetProperty(key);
        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && float.IsFinite(number)
            ? number
            : throw Refuse(key, value, "a number is expected");
    }

    /// <summary>A number above 0.</summary>
    public float Positive(string key, float? otherwise = null)
    {
        if (!Has(key)) return otherwise ?? throw new UserErrorException($"{_source} lacks '{key}', which it needs; fetch the file again");
        var number = Float(key, 0);
        return number > 0 ? number : throw Refuse(key, number, "a number above 0 is expected");
    }

    /// <summary>A line that begins with the file.</summary>
    public void Note(string line) => Notes.Add($"{_source}: {line}");

    /// <summary>The key's value as the file writes it.</summary>
    public string Raw(string key) => _root.GetProperty(key).GetRawText();

    public UserErrorException Refuse(string key, object value, string why) =>
        new($"{_source}: {key} = {string.Format(CultureInfo.InvariantCulture, "{0}", value)} cannot be honoured; {why}");
}
