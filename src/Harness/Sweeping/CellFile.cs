using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Configuration;
using Harness.Runs;

namespace Harness.Sweeping;

/// <summary>
/// A cell as a configuration file of <c>harness run</c>: everything that is not the default, from wherever it came, so that
/// it runs alike on another machine.
/// </summary>
internal static class CellFile
{
    /// <summary>Writes DIRECTORY/NAME.json; the same cell gives the same bytes.</summary>
    /// <returns>The file.</returns>
    public static string Write(string directory, SweepCell cell)
    {
        var path = Path.Combine(directory, cell.Name + ".json");
        StorageFailure.Guard(directory, () => Directory.CreateDirectory(directory));
        AtomicFile.Write(path, stream =>
        {
            JsonSerializer.Serialize(stream, Tree(cell), JsonRows.Document);
            stream.WriteByte((byte)'\n');
        });
        return path;
    }

    private static JsonObject Tree(SweepCell cell)
    {
        var types = ConfigurationKeys.All.ToDictionary(known => known.Key, known => known.Type);
        var tree = new JsonObject();
        foreach (var (key, value, source) in cell.Configuration.Entries())
        {
            if (source == "default" || key == "Output:Name") continue;
            Section(key)[key.Split(':')[1]] = Node(types[key], value);
        }
        Section("Output:Name")["Name"] = cell.RunName;
        return tree;

        JsonObject Section(string key) => (JsonObject)(tree[key.Split(':')[0]] ??= new JsonObject());
    }

    private static JsonNode Node(Type type, string value)
    {
        if (type == typeof(bool)) return JsonValue.Create(bool.Parse(value));
        if (type == typeof(string)) return JsonValue.Create(value);
        // As it was written: 0.8 stays 0.8. What JSON does not know as a number (+5) stays text.
        try { return JsonNode.Parse(value)!; }
        catch (JsonException) { return JsonValue.Create(value); }
    }
}
