using System.Text.Json.Nodes;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>The texts of the data sets beside the repository, as they are.</summary>
internal static class SharedTexts
{
    /// <summary>Instruction, input and output of every record, with <paramref name="separator"/> between them.</summary>
    public static List<string> Alpaca(string separator) =>
        [.. JsonNode.Parse(File.ReadAllText(SharedData.Path("data", "alpaca", "alpaca_data.json")))!.AsArray()
            .Select(r => string.Join(separator, (string)r!["instruction"]!, (string)r["input"]!, (string)r["output"]!))];

    public static List<string> Gsm8kQuestions() =>
        [.. File.ReadLines(SharedData.Path("data", "gsm8k", "test.jsonl")).Select(line => (string)JsonNode.Parse(line)!["question"]!)];
}
