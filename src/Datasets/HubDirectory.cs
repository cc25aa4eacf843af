using System.Globalization;
using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Datasets.Files;

namespace Harness.Datasets;

/// <summary>
/// A directory as a hub keeps a data set: configurations in folders, splits as files or as shards (<c>main/test-00000-of-00001.parquet</c>,
/// <c>data/train-00000-of-00002-HASH.parquet</c>, <c>default/train/0000.parquet</c>, <c>train.jsonl.gz</c>), also within a cache
/// (<c>datasets--OWNER--NAME/snapshots/REVISION</c>).
/// </summary>
internal sealed partial class HubDirectory
{
    private const int MostLevels = 4;

    /// <summary>What a data set takes of a configuration unless another is named, in this order; "" is the directory itself.</summary>
    private static readonly string[] s_usualConfigurations = ["", "main", "default"];

    private static readonly string[] s_extensions = [".parquet", ".jsonl", ".json"];
    private static readonly string[] s_packed = ["", ".gz", ".zst"];

    /// <summary>A file that is no shard is a split by these names alone: others may be of anything.</summary>
    private static readonly string[] s_splits = ["train", "test", "validation", "valid", "val", "dev", "eval"];

    private readonly string _root;
    private readonly string? _split;
    private readonly List<Part> _parts;

    /// <param name="Configuration">Its folder, relative; "" for the directory itself.</param>
    /// <param name="Shard">Null for a file that is the whole split.</param>
    /// <param name="Of">How many shards; null where the names do not say.</param>
    private sealed record Part(string Configuration, string Split, int? Shard, int? Of, string File);

    /// <param name="split">The one that was asked for; null for the usual one.</param>
    private HubDirectory(string root, string? split)
    {
        (_root, _split) = (root, split);
        _parts = [.. Below(root, "", 1).OrderBy(part => part.File, StringComparer.Ordinal)];
    }

    /// <summary>
    /// The directory, or the one above where the last name is a split's (<c>gsm8k/main/train</c>); null where no data are found.
    /// </summary>
    public static HubDirectory? Find(string path)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        var found = Directory.Exists(path) ? new HubDirectory(Snapshot(path), null)
            : Path.GetDirectoryName(Path.GetFullPath(path)) is { } above && Directory.Exists(above)
                ? new HubDirectory(Snapshot(above), Path.GetFileName(path)) : null;
        return found?._parts.Exists(part => found._split == null || part.Split == found._split) == true ? found : null;
    }

    /// <summary>A file of the data, to tell the kind by.</summary>
    public string Example => Usual().First().File;

    /// <param name="usual">Splits that the kind of data set is asked from, the first that is there; without any, the only one.</param>
    /// <exception cref="UserErrorException">Which files are meant cannot be told, or a shard is missing.</exception>
    public DatasetFiles Files(IReadOnlyList<string> usual)
    {
        var parts = Usual().ToList();
        var splits = parts.Select(part => part.Split).Distinct().ToList();
        var split = _split ?? usual.FirstOrDefault(splits.Contains) ?? (splits is [var only] ? only : throw new UserErrorException(
            $"{_root} has the splits {string.Join(", ", splits)}; name one: "
                + $"--data {Path.Combine(_root, parts[0].Configuration, splits[0])}"));
        var taken = Whole([.. parts.Where(part => part.Split == split)]);
        var training = splits.Contains("train") ? Whole([.. parts.Where(part => part.Split == "train")]) : null;
        return new(taken, training == null ? null : new(training), Note(parts[0].Configuration, split, taken));
    }

    /// <summary>Where the training file of one that was named is looked for, and what it may be called.</summary>
    public static (string Directory, IReadOnlyList<string> Names) BesideFile(string file)
    {
        var name = Path.GetFileName(file);
        var end = s_packed.SelectMany(packed => s_extensions.Select(extension => extension + packed))
            .FirstOrDefault(end => name.EndsWith(end, StringComparison.OrdinalIgnoreCase)) ?? ".jsonl";
        var plain = name.EndsWith(end, StringComparison.OrdinalIgnoreCase) ? name[..^end.Length] : Path.GetFileNameWithoutExtension(name);
        return (Path.GetDirectoryName(Path.GetFullPath(file))!, [$"{plain}-train{end}", $"train{end}"]);
    }

    /// <summary>A file that was named alone, with the split of training shards beside it where it is a shard itself.</summary>
    public static DatasetFiles OfFile(string file)
    {
        if (Named("", Path.GetFileName(file), file) is not { Of: { } count } shard) return file;
        var directory = new HubDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!, null);
        var training = directory._parts.Where(part => part is { Configuration: "", Split: "train" }).ToList();
        return new DatasetFiles([file])
        {
            Training = training.Count > 0 ? new(Whole(training)) : null,
            Note = count > 1 ? $"{file} is one shard of {count}; its directory, with --data, is all of them" : null,
        };
    }

    private string Note(string configuration, string split, IReadOnlyList<string> taken)
    {
        var names = taken.Select(file => Path.GetRelativePath(_root, file)).ToList();
        var others = _parts.Where(part => (part.Configuration, part.Split) != (configuration, split))
            .DistinctBy(part => (part.Configuration, part.Split))
            .Select(other => other.Configuration.Length > 0 ? $"{other.Configuration}/{other.Split}" : other.Split).ToList();
        return $"{_root}: split {split}{(configuration.Length > 0 ? $" of {configuration}" : "")} is read, "
            + (names.Count == 1 ? names[0] : $"{names.Count} files from {names[0]} to {names[^1]}")
            + (others.Count > 0 ? $"; also there: {string.Join(", ", others)}" : "");
    }

    /// <summary>Of the one configuration that is meant.</summary>
    private IEnumerable<Part> Usual()
    {
        var there = _parts.Where(part => _split == null || part.Split == _split).Select(part => part.Configuration).Distinct().ToList();
        var configuration = s_usualConfigurations.FirstOrDefault(there.Contains) ?? (there is [var only] ? only
            : throw new UserErrorException(
                $"{_root} has {string.Join(", ", there)}; name one: --data {Path.Combine(_root, there[0])}"));
        return _parts.Where(part => part.Configuration == configuration);
    }

    /// <summary>All files of a split in order.</summary>
    /// <exception cref="UserErrorException">A shard is missing, or there is more than one set of them.</exception>
    private static IReadOnlyList<string> Whole(IReadOnlyList<Part> parts)
    {
        if (parts.DistinctBy(part => part.Shard).Count() < parts.Count || parts.Select(part => part.Of).Distinct().Count() > 1)
            throw new UserErrorException($"{parts[0].File} and {parts[1].File} are both split {parts[0].Split}; name one with --data, or "
                + "move the other away");
        var inOrder = parts.OrderBy(part => part.Shard).ToList();
        for (var i = 0; i < (inOrder[0].Of ?? inOrder.Count); i++)
            if (inOrder[0].Shard is { } && (i >= inOrder.Count || inOrder[i].Shard != i))
                throw new UserErrorException($"{Path.GetDirectoryName(parts[0].File)} lacks shard {i}"
                    + $"{(inOrder[0].Of is { } of ? $" of {of}" : "")} (counted from 0) of split {parts[0].Split}, beside "
                    + $"{Path.GetFileName(inOrder[0].File)}; fetch it, or name a file with --data");
        return [.. inOrder.Select(part => part.File)];
    }

    /// <summary>A cache keeps revisions; refs/main says which is the newest.</summary>
    private static string Snapshot(string directory)
    {
        var snapshots = Path.Combine(directory, "snapshots");
        if (!Directory.Exists(snapshots)) return directory;
        var newest = Path.Combine(directory, "refs", "main");
        if (File.Exists(newest) && Path.Combine(snapshots, File.ReadAllText(newest).Trim()) is var named && Directory.Exists(named))
            return named;
        return Directory.GetDirectories(snapshots) is [var only] ? only
            : throw new UserErrorException($"{snapshots} holds more than one revision, or none, and {newest} names none of them; name one "
                + "with --data");
    }

    private static IEnumerable<Part> Below(string directory, string folder, int level)
    {
        foreach (var file in Directory.EnumerateFiles(directory))
            if (Named(folder, Path.GetFileName(file), file) is { } part) yield return part;
        if (level == MostLevels) yield break;
        foreach (var below in Directory.EnumerateDirectories(directory))
            if (Path.GetFileName(below) is var name && name[0] != '.')
                foreach (var part in Below(below, folder.Length > 0 ? $"{folder}/{name}" : name, level + 1)) yield return part;
    }

    /// <summary>Null for a file that is no data.</summary>
    private static Part? Named(string folder, string name, string file)
    {
        var end = s_packed.SelectMany(packed => s_extensions.Select(extension => extension + packed))
            .FirstOrDefault(end => name.EndsWith(end, StringComparison.OrdinalIgnoreCase));
        if (end == null || name[0] == '.') return null;
        name = name[..^end.Length];
        var folders = folder.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (folders is [.., "data"]) folders = folders[..^1];
        if (Shards().Match(name) is { Success: true } shard)
            return new(string.Join('/', folders), shard.Groups["split"].Value, Number(shard, "index"), Number(shard, "count"), file);
        // CONFIGURATION/SPLIT/0000.parquet, as a hub converts what it was given.
        if (name.Length is > 0 and < 9 && name.All(char.IsAsciiDigit))
            return new(string.Join('/', folders.SkipLast(1)), Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(file)))!,
                int.Parse(name, CultureInfo.InvariantCulture), null, file);
        return s_splits.Contains(name) ? new(string.Join('/', folders), name, null, null, file) : null;

        static int Number(Match match, string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"^(?<split>.+?)-(?<index>\d{4,6})-of-(?<count>\d{4,6})(-[0-9a-f]+)?$")]
    private static partial Regex Shards();
}
