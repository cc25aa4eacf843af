using System.Text.Json;
using System.Text.Json.Serialization;

namespace Harness.Common;

/// <summary>Numbers of the project's JSON files: JSON has no NaN and no infinity, but <c>1e999</c> would be read as one.</summary>
public sealed class FiniteNumbers : JsonConverter<double>
{
    /// <exception cref="JsonException">The number is beyond what a double holds.</exception>
    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetDouble() is var number && double.IsFinite(number) ? number : throw new JsonException("a number is beyond all figures");

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}
