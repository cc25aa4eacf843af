using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Runs;

/// <summary>
/// <c>manifest.json</c>: what makes a run repeatable. It is written when the run begins, and again whenever more is known, so
/// that a run that was cut off still says what it was.
/// </summary>
public sealed class Manifest(SummaryRecord run)
{
    /// <summary>The section that says what starts must have in common to be pieces of one run: a text.</summary>
    public const string IdentitySection = "identity";

    private readonly Dictionary<string, object> _sections = [];

    /// <summary>The columns of <c>summary.csv</c> that are known already; the section <c>run</c>.</summary>
    public SummaryRecord Run { get; set; } = run;

    /// <summary>
    /// Adds or replaces a section (<c>configuration</c>, <c>hardware</c>, <c>clocks</c>, <c>meters</c>): any tree of values, names in
    /// snake_case.
    /// </summary>
    public object this[string section]
    {
        set => _sections[section] = value;
    }

    public void Write(Stream stream)
    {
        var tree = new JsonObject { ["run"] = JsonSerializer.SerializeToNode(Run, JsonRows.Document) };
        foreach (var (name, section) in _sections) tree[name] = JsonSerializer.SerializeToNode(section, JsonRows.Document);
        JsonSerializer.Serialize(stream, tree, JsonRows.Document);
        stream.WriteByte((byte)'\n');
    }

    /// <exception cref="UserErrorException">It is not JSON.</exception>
    public static JsonObject Read(Stream stream, string source)
    {
        try
        {
            return JsonTree.Parse(stream);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{source} is not a manifest: {JsonRows.Reason(e)}", e);
        }
    }

    /// <summary>A setting of the run as it was resolved; null where the manifest has none of that name.</summary>
    /// <param name="key">As <c>Repeats:Count</c>.</param>
    public static string? Setting(JsonObject tree, string key) => (tree.At("configuration", key, "value") as JsonValue)?.ToString();

    /// <summary>The section <c>run</c>; null where the tree is not a run's manifest.</summary>
    public static SummaryRecord? RunOf(JsonObject tree)
    {
        try
        {
            return tree["run"] is JsonObject run ? run.Deserialize<SummaryRecord>(JsonRows.Document) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
