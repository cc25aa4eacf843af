using System.Globalization;
using System.Text.Json;
using Harness.Tensors;

namespace Harness.Models.Llama;

/// <summary>Typed look-ups in a <c>config.json</c>; a wrong value is refused by key, value and file.</summary>
internal sealed class ConfigReader(JsonElement root, string source)
{
    public bool Has(string key) => root.ValueKind == JsonValueKind.Object && root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    public ConfigReader? Section(string key) =>
        !Has(key) ? null
        : root.GetProperty(key) is { ValueKind: JsonValueKind.Object } section ? new(section, $"{source}, {key}")
        : throw Refuse(key, root.GetProperty(key), "an object is expected");

    /// <summary>A string, or the first of a list of strings; null where absent.</summary>
    public string? Text(string key)
    {
        if (!Has(key)) return null;
        var value = root.GetProperty(key);
        if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() > 0) value = value[0];
        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Refuse(key, value, "a word is expected");
    }

    public bool Bool(string key, bool otherwise) => !Has(key) ? otherwise : root.GetProperty(key).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Refuse(key, root.GetProperty(key), "true or false is expected"),
    };

    /// <summary>A whole number of at least 1.</summary>
    public int Int(string key, int? otherwise = null)
    {
        if (!Has(key)) return otherwise ?? throw new UserErrorException($"{source} lacks '{key}'; is this a LLaMA checkpoint?");
        var value = root.GetProperty(key);
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0
            ? number
            : throw Refuse(key, value, "a whole number of at least 1 is expected");
    }

    public float Float(string key, float otherwise)
    {
        if (!Has(key)) return otherwise;
        var value = root.GetProperty(key);
        return value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && float.IsFinite(number)
            ? number
            : throw Refuse(key, value, "a number is expected");
    }

    /// <summary>A number above 0.</summary>
    public float Positive(string key, float? otherwise = null)
    {
        if (!Has(key)) return otherwise ?? throw new UserErrorException($"{source} lacks '{key}', which it needs; fetch the file again");
        var number = Float(key, 0);
        return number > 0 ? number : throw Refuse(key, number, "a number above 0 is expected");
    }

    /// <summary>Older files say <c>torch_dtype</c>, newer ones <c>dtype</c>; without either the weights' own type will do.</summary>
    public DType DType()
    {
        var key = Has("torch_dtype") ? "torch_dtype" : "dtype";
        var word = Text(key) ?? "float32";
        try { return DTypes.Parse(word); }
        catch (UserErrorException) { throw Refuse(key, word, "supported: float32, bfloat16, float16"); }
    }

    public UserErrorException Refuse(string key, object value, string why) =>
        new($"{source}: {key} = {string.Format(CultureInfo.InvariantCulture, "{0}", value)} cannot be honoured; {why}");
}
