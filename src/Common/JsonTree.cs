using System.Text.Json;
using System.Text.Json.Nodes;

namespace Harness.Common;

/// <summary>Small JSON documents that others may have written: read as a whole, and looked into without trust in their shape.</summary>
public static class JsonTree
{
    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    /// <exception cref="JsonException">It is no JSON object, has a name twice, or a text that is no text.</exception>
    public static JsonObject Parse(Stream stream)
    {
        try
        {
            var tree = JsonNode.Parse(stream, documentOptions: s_strict) as JsonObject ?? throw new JsonException("it is no JSON object");
            Materialise(tree);
            return tree;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <summary>What lies at the end of these names; null where there is nothing, or one of them is no object.</summary>
    public static JsonNode? At(this JsonNode? tree, params ReadOnlySpan<string> names)
    {
        foreach (var name in names) tree = (tree as JsonObject)?[name];
        return tree;
    }

    /// <summary>The text at the end of these names; null where there is none: numbers, lists and objects are no texts.</summary>
    public static string? TextAt(this JsonNode? tree, params ReadOnlySpan<string> names) =>
        tree.At(names) is JsonValue value && value.TryGetValue(out string? text) ? text : null;

    /// <summary>Nodes are read when they are asked for, and so would their mistakes be found.</summary>
    private static void Materialise(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject members:
                foreach (var (_, member) in members) Materialise(member);
                break;
            case JsonArray elements:
                foreach (var element in elements) Materialise(element);
                break;
            case JsonValue value:
                value.TryGetValue(out string? _);
                break;
        }
    }
}
