using System.Text.Json.Nodes;
using Harness.Runs.Verifying;

namespace Harness.Tests.EndToEnd;

/// <summary>A run directory as somebody else's tools read it: CSV cells as text, JSON as a tree.</summary>
internal sealed class RunOutput(string path)
{
    public string Path => path;

    /// <summary>The one run below a directory.</summary>
    public static RunOutput Only(string results)
    {
        var runs = Directory.GetDirectories(results);
        Assert.That(runs, Has.Length.EqualTo(1), "one run directory");
        return new(runs[0]);
    }

    public IReadOnlyList<string> Files =>
        [.. Directory.GetFiles(path).Select(file => System.IO.Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    public IReadOnlyList<Dictionary<string, string>> Prompts => Rows("prompts.csv");
    public IReadOnlyList<Dictionary<string, string>> Ranks => Rows("ranks.csv");
    public Dictionary<string, string> Summary => Rows("summary.csv").Single();
    public JsonNode Manifest => JsonNode.Parse(File.ReadAllText(this["manifest.json"]))!;
    public IReadOnlyList<JsonNode> Responses => [.. File.ReadLines(this["responses.jsonl"]).Select(line => JsonNode.Parse(line)!)];

    /// <summary>Of a run in one piece.</summary>
    public IReadOnlyList<JsonNode> Steps() => [.. File.ReadLines(this["steps.jsonl"]).Select(line => JsonNode.Parse(line)!)];

    /// <summary>What <c>harness verify</c> finds.</summary>
    public IReadOnlyList<string> Problems() => new RunVerification(path).Check();

    /// <summary>
    /// No figure differs from what the raw files give. On a loaded machine samples may come late, which verification rightly refuses.
    /// </summary>
    public void Verify() => Assert.That(Problems(), Is.All.EndsWith("sample_gap"));

    public string this[string file] => System.IO.Path.Combine(path, file);

    public string[] Header(string file) => File.ReadLines(this[file]).First().Split(',');

    /// <summary>Output ids by repeat and prompt.</summary>
    public Dictionary<(int Repeat, int Prompt), int[]> OutputIds() =>
        Responses.ToDictionary(r => ((int)r["repeat"]!, (int)r["prompt_index"]!), r =>
            r["output_ids"]!.AsArray().Select(id => (int)id!).ToArray());

    private List<Dictionary<string, string>> Rows(string file) => CsvTable.Read(this[file]);
}
