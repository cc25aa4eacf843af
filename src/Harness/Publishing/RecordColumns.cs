using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using CsvHelper;
using Harness.Records;
using Harness.Tensors;

namespace Harness.Publishing;

/// <summary>
/// Rows of a record that another version of the program may have written: columns that it did not write are missing, those it
/// wrote besides are passed over. Nothing is compiled for a file, since a report reads thousands of them.
/// </summary>
internal static class RecordColumns<T>
{
    /// <summary>The properties with their columns, in the file's order.</summary>
    public static IReadOnlyList<(PropertyInfo Property, string Name)> All { get; } =
    [
        .. from property in typeof(T).GetProperties()
           let name = property.GetCustomAttribute<JsonPropertyNameAttribute>()
           where name != null
           orderby property.MetadataToken
           select (property, name.Name),
    ];

    /// <param name="row">Texts by column; an empty one is a missing value.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A value is not of its column's type; the file and the column are named.</exception>
    public static T Typed(IReadOnlyDictionary<string, string> row, string source)
    {
        var tree = new JsonObject();
        foreach (var (property, column) in All)
        {
            if (row.GetValueOrDefault(column) is not { Length: > 0 } text) continue;
            try
            {
                tree[column] = property.PropertyType == typeof(string) ? JsonValue.Create(text) : JsonNode.Parse(text);
                if (property.PropertyType != typeof(string)) tree[column].Deserialize(property.PropertyType);
            }
            catch (JsonException e)
            {
                throw new UserErrorException($"{source}: column {column} holds '{text}', which is not of its type", e);
            }
        }
        try
        {
            return tree.Deserialize<T>()!;
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{source} lacks a column: {e.Message.Split('\n')[0]}", e);
        }
    }

    /// <exception cref="UserErrorException">The file is damaged; it is named.</exception>
    public static IEnumerable<T> Read(Stream stream, string source)
    {
        using var csv = new CsvReader(new StreamReader(stream), CsvRows.Configuration());
        if (!Next(csv, source)) yield break;
        csv.ReadHeader();
        while (Next(csv, source))
        {
            var row = csv.HeaderRecord!.Distinct().ToDictionary(column => column, column => csv.TryGetField<string>(column, out var text) ? text ?? "" : "");
            yield return Typed(row, $"{source}:{csv.Parser.RawRow}");
        }
    }

    private static bool Next(CsvReader csv, string source)
    {
        try
        {
            return csv.Read();
        }
        catch (CsvHelperException e)
        {
            throw new UserErrorException($"{source}:{csv.Parser.RawRow}: {e.Message.Split('\n')[0].Trim()}", e);
        }
    }
}
