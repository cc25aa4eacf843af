using System.Text.Json;
using Harness.Common;

namespace Harness.Datasets.Files;

/// <summary>
/// One object of a data set's file, as JSON has it, whatever the file is written in. <see cref="Value"/> is valid until the next record is
/// read.
/// </summary>
/// <param name="Number">Among all records of the data set, from 0.</param>
/// <param name="Place">In its file: the line where it begins, or <c>row N</c>, from 0.</param>
internal readonly record struct DatasetRecord(string File, int Number, RecordPlace Place, JsonElement Value)
{
    /// <summary>For messages: <c>test.jsonl:12</c>, <c>test.parquet:row 11</c>.</summary>
    public string Source => $"{Path.GetFileName(File)}:{Place}";

    /// <summary>The string under a key that a record must have, and must not leave empty.</summary>
    public string Required(string key) => Given(key) is { Length: > 0 } text ? text : throw Malformed($"has an empty \"{key}\"");

    /// <summary>The string under a key that a record must have; it may be empty.</summary>
    public string Given(string key) => Optional(key)
        ?? throw Malformed(Find(Value, key) != null ? $"has a \"{key}\" that is null" : $"has no \"{key}\"{Keys()}");

    /// <summary>The string under a key, null where the key is absent or null.</summary>
    public string? Optional(string key) =>
        Property(key) is { } value ? Text(value, key) : null;

    /// <summary>The text of a string or a number under a key, null where the key is absent or null.</summary>
    public string? OptionalScalar(string key) =>
        Property(key) is { ValueKind: JsonValueKind.Number } number ? number.GetRawText() : Optional(key);

    public JsonElement? Property(string key)
    {
        if (Value.ValueKind != JsonValueKind.Object)
            throw Malformed($"is {Kind(Value)}, expected an object");
        return Find(Value, key) is { ValueKind: not JsonValueKind.Null } value ? value : null;
    }

    /// <summary>What stands under a key of an object in the record; null where nothing does.</summary>
    public JsonElement? Find(JsonElement inside, string key)
    {
        try
        {
            return inside.TryGetProperty(key, out var value) ? value : null;
        }
        catch (InvalidOperationException e)
        {
            throw InvalidName(e);
        }
    }

    /// <summary>Keys of the record, which is an object, in its order.</summary>
    public IReadOnlyList<string> Names() => Names(Value);

    /// <summary>Keys of an object in the record, in its order.</summary>
    public IReadOnlyList<string> Names(JsonElement inside)
    {
        try
        {
            return [.. inside.EnumerateObject().Select(property => property.Name)];
        }
        catch (InvalidOperationException e)
        {
            throw InvalidName(e);
        }
    }

    /// <summary>The text of a string value; what Unicode cannot express (a lone surrogate, broken UTF-8) is malformed.</summary>
    public string Text(JsonElement value, string key)
    {
        if (value.ValueKind != JsonValueKind.String)
            throw Malformed($"has {Kind(value)} as its \"{key}\", expected a string");
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw Malformed($"has text in \"{key}\" that is not valid Unicode", e);
        }
    }

    public UserErrorException Malformed(string what, Exception? cause = null) =>
        new($"{File}:{Place}{(Place.IsRow ? "" : $": record {Number}")} (counted from 0) {what}; correct or remove it", cause);

    private UserErrorException InvalidName(Exception cause) => Malformed("has a key that is not valid Unicode", cause);

    private string Keys() => $" (it has {string.Join(", ", Names().Select(name => $"\"{name}\"").Take(8))})";

    private static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        _ => value.GetRawText(),
    };
}

/// <summary>Where a record stands in its file.</summary>
/// <param name="Index">A line from 1, or a table's row from 0.</param>
internal readonly record struct RecordPlace(long Index, bool IsRow)
{
    public static RecordPlace Line(long line) => new(line, IsRow: false);

    public static RecordPlace Row(long row) => new(row, IsRow: true);

    public override string ToString() => FormattableString.Invariant($"{(IsRow ? "row " : "")}{Index}");
}
