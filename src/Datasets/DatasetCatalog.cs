using System.Text.Json;
using Harness.Common;
using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>The known datasets: from a name, a path, or both, to prompts.</summary>
public static class DatasetCatalog
{
    /// <param name="Files">What its file is called where it is published.</param>
    /// <param name="Splits">Of a hub's directory: the ones it is asked from, the first that is there; without any, the only one.</param>
    private sealed record Kind(
        string Name, string[] Files, string[] Splits, DatasetFields[] Forms, Func<DatasetFiles, int, long?, int, IPromptSource> Open);

    /// <summary>The data set that a run is asked for, before anything of it is read.</summary>
    private sealed record Located(Kind? Kind, DatasetFiles? Files);

    private static readonly string[] s_packed = ["", ".gz", ".zst"];

    private static readonly Kind[] s_kinds =
    [
        new(AlpacaPrompts.Name, ["alpaca_data.json", "alpaca.json"], ["train"], [AlpacaPrompts.Fields], (files, _, _, _) =>
            new AlpacaPrompts(files)),
        new(GsmPrompts.Name, ["test.jsonl", "gsm8k.jsonl", "train.jsonl"], ["test", "train"], [GsmPrompts.Fields],
            (files, shots, seed, _) => new GsmPrompts(files, shots, seed)),
        new(ShareGptPrompts.Name, ["ShareGPT_V3_unfiltered_cleaned_split.json", "sharegpt.json"], ["train"], [ShareGptPrompts.Fields],
            (files, _, _, turns) => new ShareGptPrompts(files, turns)),
        new(JsonLinesPrompts.Name, ["prompts.jsonl", "prompts.parquet"], [], [JsonLinesPrompts.Fields, JsonLinesPrompts.MessagesFields],
            (files, _, _, _) => new JsonLinesPrompts(files)),
    ];

    public static string KnownNames => string.Join(", ", s_kinds.Select(k => k.Name).Prepend(DemoPrompts.Name));

    /// <param name="name">Empty tells it from the file.</param>
    /// <exception cref="UserErrorException">No dataset has this name.</exception>
    public static void CheckName(string name)
    {
        if (name.Length > 0 && !IsDemo(name, null)) Find(name);
    }

    /// <summary>The prompts that a run uses, in its order (<see cref="PromptSelection"/>).</summary>
    /// <inheritdoc cref="Open" path="/param"/>
    public static LoadedPrompts Load(string? name, string? path, int shots, int? limit, long? seed, int turns = 1)
    {
        var located = Locate(name, path, shots, turns);
        var source = Open(located, shots, seed, turns);
        var prompts = PromptSelection.Select(source.Read(), limit, seed);
        var loaded = new LoadedPrompts(prompts, source.Log, path ?? source.Dataset) { Files = located.Files };
        return prompts.Count > 0 ? loaded
            : throw new UserErrorException(string.Join("; ", loaded.Notes.Prepend($"{loaded.Source} holds no prompts")));
    }

    /// <param name="name">One of <see cref="KnownNames"/>; null to tell it from the path, or the demo where that is null too.</param>
    /// <param name="path">The dataset's file, the directory that holds it, or a directory that holds that directory.</param>
    /// <param name="shots">Worked examples in front of each GSM8K question.</param>
    /// <param name="seed">Chooses the subset and the worked examples; null takes both in the order of their files.</param>
    /// <param name="turns">Of each conversation that are asked, at most.</param>
    public static IPromptSource Open(string? name, string? path, int shots = 0, long? seed = null, int turns = 1) =>
        Open(Locate(name, path, shots, turns), shots, seed, turns);

    private static IPromptSource Open(Located located, int shots, long? seed, int turns) =>
        located is { Kind: { } kind, Files: { } files } ? kind.Open(files, shots, seed, turns)
            : new DemoPrompts(Path.Combine(AppContext.BaseDirectory, "Demo"), shots, seed);

    private static Located Locate(string? name, string? path, int shots, int turns)
    {
        (name, path) = (NullIfEmpty(name), NullIfEmpty(path));
        if (shots < 0) throw new UserErrorException($"the number of worked examples (shots) is {shots}, expected 0 or more");
        if (IsDemo(name, path)) return turns > 1 ? throw NoTurns(DemoPrompts.Name, turns) : new(null, null);
        var named = name == null ? null : Find(name);
        if (path == null)
            throw new UserErrorException($"dataset {named!.Name} needs its file: give --data with {named.Files[0]} or the directory that "
                + "holds it");
        var (kind, files) = File.Exists(path) ? (named ?? Recognise(path), HubDirectory.OfFile(path)) : FindIn(path, named);
        if (shots > 0 && kind.Name != GsmPrompts.Name)
            throw new UserErrorException($"worked examples (shots) come from GSM8K's training file, and the dataset is {kind.Name}; leave "
                + "the shots out");
        if (turns > 1 && kind.Name != ShareGptPrompts.Name) throw NoTurns(kind.Name, turns);
        return new(kind, files);
    }

    private static UserErrorException NoTurns(string dataset, int turns) => new($"--turns {turns} asks conversations on, and dataset "
        + $"{dataset} has single questions; leave --turns out, or give a ShareGPT file");

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    private static bool IsDemo(string? name, string? path)
    {
        if (path == null) return name is null || name.Equals(DemoPrompts.Name, StringComparison.OrdinalIgnoreCase);
        return name?.Equals(DemoPrompts.Name, StringComparison.OrdinalIgnoreCase) == true
            ? throw new UserErrorException(
                $"dataset demo comes with the program and takes no --data (it is {path}); leave one of the two out")
            : false;
    }

    private static Kind Find(string name) =>
        s_kinds.FirstOrDefault(k => k.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new UserErrorException($"unknown dataset {name}; known are {KnownNames}");

    /// <summary>
    /// Looks for the files of one kind or of all, in a directory and in its subdirectory of the dataset's name; then for splits, as hubs
    /// keep them.
    /// </summary>
    private static (Kind, DatasetFiles) FindIn(string directory, Kind? named)
    {
        var found = (named == null ? s_kinds : [named]).Select(k => (Kind: k, File: FileIn(directory, k))).Where(f => f.File != null)
            .ToList();
        if (found.Count > 1)
            throw new UserErrorException(
                $"{directory} holds more than one dataset; name one with --dataset: {string.Join(", ", found.Select(f => f.Kind.Name))}");
        if (found is [var one]) return (one.Kind, HubDirectory.OfFile(one.File!));
        var hub = (named == null ? null : HubDirectory.Find(Path.Combine(directory, named.Name))) ?? HubDirectory.Find(directory);
        if (hub != null)
        {
            var kind = named ?? Recognise(hub.Example);
            return (kind, hub.Files(kind.Splits));
        }
        throw new UserErrorException(!Directory.Exists(directory)
            ? $"there is no dataset at {directory}; give --data with the dataset's file or the directory that holds it"
            : named != null
            ? $"{directory} does not hold {named.Name}: none of {string.Join(", ", named.Files)} is there; give --data with the file itself"
            : $"{directory} holds no dataset that can be told by its file name; give --data with the file itself");
    }

    private static string? FileIn(string directory, Kind kind) =>
        new[] { directory, Path.Combine(directory, kind.Name) }
            .SelectMany(d => kind.Files.SelectMany(f => s_packed.Select(packed => Path.Combine(d, f + packed))))
            .FirstOrDefault(File.Exists);

    /// <summary>Tells the kind of a file by all keys of its first record.</summary>
    private static Kind Recognise(string file)
    {
        foreach (var record in DatasetRecords.Read(file, _ => false).Take(1))
        {
            HashSet<string> keys = record.Value.ValueKind == JsonValueKind.Object ? [.. record.Names()] : [];
            return s_kinds.FirstOrDefault(k => k.Forms.Any(form => form.Fits(keys)))
                ?? throw new UserErrorException($"cannot tell which dataset {file} is: {WhyNot(keys)}");
        }
        throw new UserErrorException($"{file} holds no prompts");
    }

    private static string WhyNot(HashSet<string> keys)
    {
        var forms = s_kinds.SelectMany(k => k.Forms).ToList();
        if (forms.Find(form => form.Required.All(keys.Contains)) is { } near)
            return $"its first record has the keys of {near.Kind}, but {Quoted(", ", keys.Where(near.IsForeign))} too, "
                + $"of which {near.Kind} makes no prompt; write the whole prompt as \"{JsonLinesPrompts.PromptKey}\" of JSON lines";
        var known = forms.Select(form => $"{Quoted(" and ", form.Required)} ({form.Kind})");
        return $"its first record has none of {string.Join(", ", known)}; name it with --dataset";

        static string Quoted(string between, IEnumerable<string> keys) => string.Join(between, keys.Select(key => $"\"{key}\""));
    }
}

/// <summary>The prompts that a run uses.</summary>
/// <param name="Log">What became of the other records.</param>
/// <param name="Source">Where they come from, for people.</param>
public sealed record LoadedPrompts(IReadOnlyList<Prompt> Prompts, ReadLog Log, string Source)
{
    /// <summary>The files that were read, in order; none for the demo.</summary>
    public DatasetFiles? Files { get; init; }

    public IEnumerable<string> Notes => Files?.Note is { } note ? Log.Notes(Source).Prepend(note) : Log.Notes(Source);
}
