using System.Reflection;
using System.Text.Json.Serialization;
using CsvHelper.Configuration;

namespace Harness.Records;

/// <summary>Columns of a record in the order of its declaration, under the same names as in JSON.</summary>
internal sealed class ColumnMap<T> : ClassMap<T>
{
    /// <summary>The properties with their columns.</summary>
    public static IReadOnlyList<(PropertyInfo Property, string Name)> Columns { get; } =
    [
        .. from property in typeof(T).GetProperties()
           let name = property.GetCustomAttribute<JsonPropertyNameAttribute>()
           where name != null
           orderby property.MetadataToken
           select (property, name.Name),
    ];

    public static IReadOnlyList<string> Names { get; } = [.. Columns.Select(column => column.Name)];

    public ColumnMap()
    {
        foreach (var (property, name) in Columns) Map(typeof(T), property).Name(name);
    }
}
