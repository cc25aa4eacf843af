using System.Text.Json;
using System.Text.Json.Serialization;

namespace Harness.Common;

/// <summary>A record of columns as one flat object under the columns' names, however it is composed.</summary>
public sealed class ColumnsAsJson<T> : JsonConverter<T> where T : class
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new JsonException($"a {typeof(T).Name} is an object");
        object record = Activator.CreateInstance<T>();
        var missing = ColumnMap<T>.Columns.Where(column => column.IsRequired).Select(column => column.Name).ToHashSet();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            if (ColumnMap<T>.Find(name) is not { } column) reader.Skip();
            else
            {
                var value = JsonSerializer.Deserialize(ref reader, column.Type, options);
                column.Set(record, value);
                if (value != null) missing.Remove(name);
            }
        }
        return missing.Count == 0 ? (T)record : throw new JsonException($"it has no {string.Join(", ", missing)}");
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        writer.WriteStartObject();
        foreach (var column in ColumnMap<T>.Columns)
        {
            var held = column.Of(value);
            if (held == null && options.DefaultIgnoreCondition == JsonIgnoreCondition.WhenWritingNull) continue;
            writer.WritePropertyName(column.Name);
            JsonSerializer.Serialize(writer, held, column.Type, options);
        }
        writer.WriteEndObject();
    }
}
