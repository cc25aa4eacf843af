using System.Text.Json;
using Harness.Models.Llama.Templates;

namespace Harness.Tests.Models.Llama.Templates;

/// <summary>What other programs rendered; README.md beside the files says which.</summary>
internal static class TemplateFixtures
{
    public static string Path(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, "Fixtures", "templates", name);

    public static JsonElement Json(string name) => JsonDocument.Parse(File.ReadAllBytes(Path(name))).RootElement;

    public static readonly JsonElement Renderings = Json("renderings.json");

    public static readonly JsonElement Syntax = Json("syntax.json");

    public static IReadOnlyList<ChatMessage> Messages(JsonElement list) => [.. list.EnumerateArray().Select(message =>
        new ChatMessage(message.GetProperty("role").GetString()!, message.GetProperty("content").GetString()!))];

    public static ChatTemplate Template(string source, params (string Name, string Token)[] tokens) =>
        new("x.jinja", source, tokens.ToDictionary(token => token.Name, token => token.Token));

    /// <summary>A JSON value as a template has it.</summary>
    public static object? Value(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => new OrderedDictionary<string, object?>(json.EnumerateObject().Select(member =>
            KeyValuePair.Create(member.Name, Value(member.Value)))),
        JsonValueKind.Array => json.EnumerateArray().Select(Value).ToList(),
        JsonValueKind.String => json.GetString(),
        JsonValueKind.Number => json.TryGetInt64(out var whole) ? whole : (object)json.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };
}
