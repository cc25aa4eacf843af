using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

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

    private static readonly JsonSerializerOptions s_checked = new(Document)
    {
        RespectNullableAnnotations = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { RequireWhatIsNeverLeftOut } },
    };

    /// <summary>Missing values are left out; a value that cannot be missing is there.</summary>
    private static void RequireWhatIsNeverLeftOut(JsonTypeInfo type)
    {
        foreach (var property in type.Properties)
            if (property.AssociatedParameter is { IsNullable: false, HasDefaultValue: false }) property.IsRequired = true;
    }

    /// <summary>A record of a document, with all that it must have.</summary>
    /// <exception cref="JsonException">Something is missing, null, or not of its type.</exception>
    public static T Checked<T>(JsonElement tree)
    {
        if (HasNullInAList(tree)) throw new JsonException("null stands in a list");
        return tree.Deserialize<T>(s_checked) ?? throw new JsonException("null is no record");
    }

    private static bool HasNullInAList(JsonElement tree) => tree.ValueKind switch
    {
        JsonValueKind.Array => tree.EnumerateArray().Any(element => element.ValueKind == JsonValueKind.Null || HasNullInAList(element)),
        JsonValueKind.Object => tree.EnumerateObject().Any(member => HasNullInAList(member.Value)),
        _ => false,
    };

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
