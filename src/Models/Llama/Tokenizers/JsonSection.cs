using System.Text.Json;
using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>A value of a JSON file that knows where it stands, so that an error can name file, key and value.</summary>
internal readonly record struct JsonSection(string File, string Path, JsonElement Element)
{
    /// <summary>Above every token id: it keeps tables indexed by id small, and no vocabulary comes near it.</summary>
    public const int IdBound = 1 << 24;

    /// <exception cref="UserErrorException">The file is not JSON, or its root is not an object.</exception>
    public static JsonSection Open(string file, ReadOnlyMemory<byte> data)
    {
        try
        {
            using var document = InputFile.ParseJson(data);
            var root = new JsonSection(file, "", document.RootElement.Clone());
            root.Expect(JsonValueKind.Object);
            return root;
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{file}: not JSON: {e.Message.ReplaceLineEndings(" ")}; fetch the file again", e);
        }
    }

    /// <summary>Absent and null are the same to every file read here.</summary>
    public bool IsNull => Element.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    public string Type => this["type"].Text();

    public JsonSection this[string key]
    {
        get
        {
            Expect(JsonValueKind.Object);
            var name = Path.Length == 0 ? key : $"{Path}.{key}";
            return new(File, name, Element.TryGetProperty(key, out var value) ? value : default);
        }
    }

    public IEnumerable<JsonSection> Items()
    {
        if (IsNull) return [];
        Expect(JsonValueKind.Array);
        var (file, path) = (File, Path);
        return Element.EnumerateArray().Select((item, i) => new JsonSection(file, $"{path}[{i}]", item));
    }

    public string Text()
    {
        Expect(JsonValueKind.String);
        return Element.GetString()!;
    }

    /// <summary>The members of an object.</summary>
    public IEnumerable<KeyValuePair<string, JsonSection>> Members()
    {
        Expect(JsonValueKind.Object);
        var (file, path) = (File, Path);
        return Element.EnumerateObject()
            .Select(member => KeyValuePair.Create(member.Name,
            new JsonSection(file, path.Length == 0 ? member.Name : $"{path}.{member.Name}", member.Value)));
    }

    public int Int()
    {
        Expect(JsonValueKind.Number);
        return Element.TryGetInt32(out var value) ? value : throw Refusal("a whole number is expected");
    }

    /// <summary>A token id.</summary>
    public int Id() => Int() is >= 0 and < IdBound and var id ? id : throw Refusal($"an id from 0 to {IdBound - 1} is expected");

    public bool Flag(bool otherwise)
    {
        if (IsNull) return otherwise;
        return Element.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Refusal("true or false is expected"),
        };
    }

    /// <summary>Refuses every key that is not listed and not null: what is not understood must not be passed over.</summary>
    public void Only(params ReadOnlySpan<string> keys)
    {
        Expect(JsonValueKind.Object);
        foreach (var property in Element.EnumerateObject())
            if (!keys.Contains(property.Name) && property.Value.ValueKind != JsonValueKind.Null)
                throw this[property.Name].Refusal("the key is not known");
    }

    /// <summary>An error about this value; <paramref name="reason"/> says what is wrong or wanted.</summary>
    public UserErrorException Refusal(string reason)
    {
        var value = IsNull ? "missing" : Element.ValueKind == JsonValueKind.String ? $"\"{Element.GetString()}\"" : Element.GetRawText();
        value = value.ReplaceLineEndings(" ");
        if (value.Length > 120) value = value[..120] + "…";
        var remedy = File.EndsWith("tokenizer.json", StringComparison.Ordinal)
            ? "give a tokenizer of the LLaMA family" : "put it right, or fetch the file again";
        return new UserErrorException($"{File}: {(Path.Length == 0 ? "the root" : Path)} is {value}: {reason}; {remedy}");
    }

    private void Expect(JsonValueKind kind)
    {
        if (Element.ValueKind != kind) throw Refusal($"{kind.ToString().ToLowerInvariant()} expected");
    }
}
