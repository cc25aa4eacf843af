using System.Text.Json;
using Harness.Common;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>
/// Which files of a directory hold the weights, in the order of transformers (<c>_get_resolved_checkpoint_files</c>):
/// <c>model.safetensors</c>, then <c>model.safetensors.index.json</c> with the shards that it names.
/// </summary>
internal sealed class WeightFiles
{
    private const string Single = "model.safetensors", IndexName = "model.safetensors.index.json", Adapter = "adapter_config.json";

    /// <summary>Where the index lies, if there is one.</summary>
    public string Index { get; }

    /// <summary>In the order of their names, each once.</summary>
    public IReadOnlyList<string> Paths { get; }

    /// <summary>The file that the index names for each tensor; null where there is one file.</summary>
    public IReadOnlyDictionary<string, string>? Homes { get; }

    /// <summary>A line for each thing that lies there and is not read.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <exception cref="UserErrorException">There are none, or the index is none.</exception>
    public WeightFiles(string directory)
    {
        Index = Path.Combine(directory, IndexName);
        var single = Path.Combine(directory, Single);
        if (File.Exists(Path.Combine(directory, Adapter)))
            throw new UserErrorException($"{Path.Combine(directory, Adapter)}: "
                + "an adapter lies beside the weights, and transformers would apply it; merge it into them (peft: "
                + "merge_and_unload), or move it away");
        if (File.Exists(single))
        {
            Paths = [single];
            Notes = File.Exists(Index) ? [$"{single} is read; {Index} and its shards are not, "
                + "since transformers takes the single file first: remove whichever is stale"] : [];
            return;
        }
        if (!File.Exists(Index))
            throw new UserErrorException($"{directory} holds neither {Single} nor {IndexName}; "
                + $"{(Directory.EnumerateFiles(directory, "*.safetensors").FirstOrDefault() is { } other ? $"fetch the one that belongs to {Path.GetFileName(other)}" : "convert the checkpoint to safetensors")}");
        Homes = ReadIndex(Index, directory);
        Paths = [.. Homes.Values.Distinct().Order(StringComparer.Ordinal)];
        Notes = [];
    }

    /// <summary>The tensors of the opened files, by name, where the index and they agree.</summary>
    /// <exception cref="UserErrorException">A tensor lies in two shards, or not where the index says.</exception>
    public Dictionary<string, SafeTensorsFile> Locate(IEnumerable<SafeTensorsFile> files)
    {
        var found = new Dictionary<string, SafeTensorsFile>();
        foreach (var file in files)
            foreach (var name in file.Names)
                if (!found.TryAdd(name, file)) throw new UserErrorException($"tensor {name} lies in {found[name].Path} and in {file.Path}; "
                    + "the shards are of two checkpoints, fetch them again");
        foreach (var (name, path) in Homes ?? new Dictionary<string, string>())
            if (!found.TryGetValue(name, out var file) || file.Path != path)
                throw new UserErrorException($"{Index} says that tensor {name} is in {Path.GetFileName(path)}, "
                    + $"but it is {(file == null ? "in no shard" : $"in {Path.GetFileName(file.Path)}")}; "
                    + "index and shards are of two checkpoints, fetch them again");
        return found;
    }

    private static Dictionary<string, string> ReadIndex(string index, string directory)
    {
        try
        {
            using var json = InputFile.ParseJson(InputFile.Read(index));
            return json.RootElement.GetProperty("weight_map").EnumerateObject()
                .ToDictionary(t => t.Name, t => Path.Combine(directory,
                    Beside(index, t.Name, t.Value.GetString() ?? throw new FormatException("a shard has a name"))));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
            or ArgumentException)
        {
            throw new UserErrorException($"{index} is not a safetensors index; fetch the file again", e);
        }
    }

    /// <summary>Shards lie where their index lies: one that leads elsewhere would read files that nobody has named.</summary>
    private static string Beside(string index, string tensor, string shard) => PlainName.Is(shard) ? shard
        : throw new UserErrorException($"{index} says that tensor {tensor} is in '{VisibleText.Of(shard)}', which is no name of a file "
            + "beside it; fetch the index again");
}
