namespace Harness.Datasets.Files;

/// <summary>The files of one data set, in order: one, or the shards of a split.</summary>
/// <param name="Training">The split that worked examples come from; null where a file is looked for beside.</param>
/// <param name="Note">For people: which files were taken of a directory, and which were not; null where one was named.</param>
public sealed record DatasetFiles(IReadOnlyList<string> Paths, DatasetFiles? Training = null, string? Note = null)
{
    public static implicit operator DatasetFiles(string path) => FromString(path);

    public static DatasetFiles FromString(string path) => new([path]);

    public string First => Paths[0];
}
