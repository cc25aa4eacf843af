using System.Reflection;
using System.Text.Json.Serialization;
using CsvHelper.Configuration;

namespace Harness.Records;

/// <summary>Columns of a record in the order of its declaration, under the same names as in JSON.</summary>
internal sealed class ColumnMap<T> : ClassMap<T>
{
    public static IReadOnlyList<string> Names { get; } = [.. Properties().Select(p => p.Name)];

    public ColumnMap()
    {
        foreach (var (property, name) in Properties()) Map(typeof(T), property).Name(name);
    }

    private static IEnumerable<(PropertyInfo Property, string Name)> Properties() =>
        from property in typeof(T).GetProperties()
        let name = property.GetCustomAttribute<JsonPropertyNameAttribute>()
        where name != null
        orderby property.MetadataToken
        select (property, name.Name);
}
