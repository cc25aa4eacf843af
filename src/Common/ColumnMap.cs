using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;

namespace Harness.Common;

/// <summary>Columns of a record in the order of its declaration, under the same names as in JSON.</summary>
public static class ColumnMap<T>
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

    /// <summary>A record from its texts. An empty text is a missing value; a column that is not there leaves what the record starts with.</summary>
    /// <param name="text">By position in <see cref="Columns"/>; null for a column that is not there.</param>
    /// <exception cref="FormatException">A text is not of its column's type (NaN and infinity are no figures), or a column that must be
    /// there is not; the column is named.</exception>
    public static T Record(Func<int, string?> text)
    {
        object record = Activator.CreateInstance<T>()!;
        for (var i = 0; i < Columns.Count; i++)
        {
            var (property, column) = Columns[i];
            if (text(i) is { } given) property.SetValue(record, Value(given, property.PropertyType, column));
            else if (property.IsDefined(typeof(RequiredMemberAttribute))) throw new FormatException($"has no column {column}");
        }
        return (T)record;
    }

    private static object? Value(string text, Type type, string column)
    {
        var kind = Nullable.GetUnderlyingType(type) ?? type;
        if (text.Length == 0 && (kind != type || type == typeof(string))) return null;
        try
        {
            var value = Convert.ChangeType(text, kind, CultureInfo.InvariantCulture);
            return value is double number && !double.IsFinite(number) ? throw new FormatException("not finite") : value;
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new FormatException($"column {column} holds '{text}', which is "
                + $"{(kind == typeof(double) ? "no figure" : "not of its type")}", e);
        }
    }
}
