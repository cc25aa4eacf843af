using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Harness.Collecting;
using Harness.Records;
using Harness.Tensors;

namespace Harness.Publishing;

/// <summary>A run as the report shows it.</summary>
/// <param name="Label">Short, and unlike that of every other run in the report.</param>
internal sealed record ReportedRun(string Label, string Directory, SummaryRecord Summary)
{
    /// <summary>Devices that a replica's weights are spread over: tensor × pipeline degree, the 'shards' of 'From Words to Watts'.</summary>
    public int? Shards => Summary.TensorParallel * Summary.PipelineParallel;

    public int? Replicas => Shards > 0 ? Summary.Ranks / Shards : null;

    public IReadOnlyList<string> Reasons => Summary.InvalidReasons?.Split(';', StringSplitOptions.RemoveEmptyEntries) ?? [];

    /// <summary>Columns that another version of the program did not write are missing, those it wrote besides are passed over.</summary>
    /// <exception cref="UserErrorException">A value is not of its column's type; the run and the column are named.</exception>
    public static SummaryRecord Typed(CollectedRow row)
    {
        var tree = new JsonObject();
        foreach (var (property, column) in SummaryColumns.All)
        {
            if (row.Columns.GetValueOrDefault(column) is not { Length: > 0 } text) continue;
            try
            {
                tree[column] = property.PropertyType == typeof(string) ? JsonValue.Create(text) : JsonNode.Parse(text);
                if (property.PropertyType != typeof(string)) tree[column].Deserialize(property.PropertyType);
            }
            catch (JsonException e)
            {
                throw new UserErrorException($"{Path.Combine(row.Directory, RunDirectory.SummaryFile)}: column {column} holds '{text}', which is not of its type", e);
            }
        }
        tree["run_id"] = row.RunId;
        if (tree["status"] == null) tree["status"] = RunStatus.Incomplete;
        return tree.Deserialize<SummaryRecord>()!;
    }
}

/// <summary>The columns of <c>summary.csv</c> with the properties that hold them, in the file's order.</summary>
internal static class SummaryColumns
{
    public static IReadOnlyList<(System.Reflection.PropertyInfo Property, string Name)> All { get; } =
    [
        .. from property in typeof(SummaryRecord).GetProperties()
           let name = property.GetCustomAttributes(typeof(JsonPropertyNameAttribute), false).Cast<JsonPropertyNameAttribute>().SingleOrDefault()
           where name != null
           orderby property.MetadataToken
           select (property, name.Name),
    ];
}
