using System.Text.Json;
using System.Text.Json.Serialization;

namespace Harness.Common;

/// <summary>An enumeration as one of its words (<see cref="EnumWord"/>): no number, and no word that it does not have.</summary>
public sealed class EnumWordAsJson<T> : JsonConverter<T> where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && EnumWord.Find<T>(reader.GetString()!) is { } value ? value
            : throw new JsonException($"{JsonElement.ParseValue(ref reader).GetRawText()} is none of {EnumWord.All<T>()}");

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(EnumWord.Of(value));
}
