using System.Text.Json;
using System.Text.Json.Nodes;
using CsvHelper;
using Harness.Records;
using Harness.Tensors;

namespace Harness.Publishing;

/// <summary>
/// Rows of a record that another version of the program may have written: columns that it did not write are missing, those it
/// wrote besides are passed over. Nothing is compiled for a file, since a report reads thousands of them.
/// </summary>
internal static class LooseRow<T>
{
    /// <param name="row">Texts by column; an empty one is a missing value.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A value is not of its column's type; the file and the column are named.</exception>
    public static T Typed(IReadOnlyDictionary<string, string> row, string source)
    {
        var tree = new JsonObject();
        foreach (var (property, column) in ColumnMap<T>.Columns)
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
        using var csv = new CsvParser(new StreamReader(stream), CsvRows.Configuration());
        if (!CsvRows.Next(csv, source)) yield break;
        var header = csv.Record!;
        while (CsvRows.Next(csv, source))
            yield return Typed(header.Zip(csv.Record!).DistinctBy(cell => cell.First).ToDictionary(cell => cell.First, cell => cell.Second), $"{source}:{csv.RawRow}");
    }
}
