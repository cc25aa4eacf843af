using System.Text.Json.Nodes;

namespace Harness.Tests.Models.Llama;

/// <summary>shared/models/stories260K and the continuation that three other implementations agree on.</summary>
internal static class Stories
{
    public const int BeginOfText = 1;

    public static string Directory => SharedData.Path("models", "stories260K");

    private static JsonNode Reference => JsonNode.Parse(File.ReadAllText(Path.Combine(Directory, "reference.json")))!;

    /// <summary>199 ids: the greedy continuation of beginning-of-text in float32.</summary>
    public static int[] Continuation => [.. Reference["output_ids"]!.AsArray().Select(id => (int)id!)];

    public static string Text => (string)Reference["text"]!;

    /// <summary>Beginning-of-text and 299 tokens: more than two of the scorer's passes.</summary>
    public static int[] LongText => [BeginOfText, .. Continuation, .. Continuation[..100]];

    /// <summary>Forty prompts of 1 to 40 tokens, longest and shortest mixed.</summary>
    public static int[][] RaggedPrompts()
    {
        var text = LongText;
        return [.. Enumerable.Range(0, 40).Select(i => i * 17 % 40 + 1)
            .Select((length, i) => (int[])[BeginOfText, .. text[(3 * i + 1)..(3 * i + length)]])];
    }
}
