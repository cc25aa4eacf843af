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
        var tree = new JsonObject();
        var name = Settings.Of(options => options.Output.Name);
        foreach (var entry in cell.Configuration.Entries().Where(entry => !entry.IsDefault && entry.Setting != name))
            Put(entry.Setting, entry.Value);
        Put(name, cell.RunName);
        return tree;

        void Put(Setting setting, string value) =>
            ((JsonObject)(tree[setting.Section.Name] ??= new JsonObject()))[setting.Property.Name] = setting.Json(value);
    }
}
