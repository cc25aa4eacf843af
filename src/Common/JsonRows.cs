using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Harness.Common;

/// <summary>Records as JSON: one a line, or indented in a document. Missing values are left out, text stays readable.</summary>
public static class JsonRows
{
    public static readonly JsonSerializerOptions Line = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new FiniteNumbers() },
    };

    public static readonly JsonSerializerOptions Document = new(Line)
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    private static readonly JsonSerializerOptions s_reading = new(Line) { RespectNullableAnnotations = true };

    public static void Write<T>(Stream stream, IEnumerable<T> rows)
    {
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(stream, row, Line);
            stream.WriteByte((byte)'\n');
        }
    }

    /// <param name="source">The file's name, for messages.</param>
    /// <exception cref="UserErrorException">A line is not a record of this type; it is named.</exception>
    public static IEnumerable<T> Read<T>(Stream stream, string source)
    {
        using var reader = new StreamReader(stream);
        for (var number = 1; reader.ReadLine() is { } line; number++)
        {
            T row;
            try
            {
                row = JsonSerializer.Deserialize<T>(line, s_reading) ?? throw new JsonException("null is no record");
            }
            catch (JsonException e)
            {
                throw new UserErrorException($"{source}:{number}: {Reason(e)}", e);
            }
            yield return row;
        }
    }

    /// <summary>What is wrong, in one line and without the place, which is that within one value.</summary>
    public static string Reason(JsonException e) => e.Message.Split(" LineNumber:")[0].ReplaceLineEndings(" ");
}
