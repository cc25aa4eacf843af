using System.Text.Json;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Runs;

/// <summary>
/// The directory of one run while it is written, by rank 0 alone. Results of a batch are kept as it finishes, in
/// <c>prompts.partial.csv</c> and <c>responses.partial.jsonl</c>; files under their own names are complete.
/// <c>summary.csv</c> comes last: where it is, all of the run is.
/// </summary>
public sealed class RunDirectory : IResultSink, IDisposable
{
    private readonly AppendedFile<PromptRecord> _prompts;
    private readonly AppendedFile<ResponseRecord> _responses;

    private RunDirectory(string path, string runId)
    {
        (Path, RunId) = (path, runId);
        _prompts = new(RunFile.Prompts.In(path), CsvRows.WriteHeader<PromptRecord>, CsvRows.Write);
        _responses = new(RunFile.Responses.In(path), _ => { }, JsonRows.Write);
    }

    public string Path { get; }

    public string RunId { get; }

    /// <summary>Makes a directory that no other run has, also when many start at once on shared storage.</summary>
    /// <param name="output">Made where it does not exist.</param>
    /// <param name="name">The user's own; where it is taken, <c>NAME-2</c>, <c>NAME-3</c> and so on. Null takes the run's id.</param>
    /// <exception cref="UserErrorException">The name is no plain name, or the storage refuses.</exception>
    public static RunDirectory Create(string output, string? name, string model, DateTimeOffset now)
    {
        var runId = RunName.NewId(model, now);
        var plain = RunName.Checked(string.IsNullOrEmpty(name) ? runId : name);
        var path = System.IO.Path.Combine(output, plain);
        StorageFailure.Guard(path, () =>
        {
            Directory.CreateDirectory(output);
            for (var i = 2; !ExclusiveDirectory.TryCreate(path); i++)
                path = System.IO.Path.Combine(output, $"{plain}-{i}");
        });
        return new RunDirectory(path, runId);
    }

    /// <summary>As <see cref="Create"/>, but under that very name or not at all.</summary>
    /// <returns>Null where something of the name is there, also where another process was faster by a moment.</returns>
    public static RunDirectory? TryCreate(string output, string name, string model, DateTimeOffset now)
    {
        var path = System.IO.Path.Combine(output, RunName.Checked(name));
        var isMade = false;
        StorageFailure.Guard(path, () =>
        {
            Directory.CreateDirectory(output);
            isMade = ExclusiveDirectory.TryCreate(path);
        });
        return isMade ? new RunDirectory(path, RunName.NewId(model, now)) : null;
    }

    /// <summary>
    /// Opens the directory of a run that was cut off, and that is this process's now. What was derived from its finished batches is taken
    /// away, since it will be written anew, and so is what earlier starts were killed in the midst of.
    /// </summary>
    public static RunDirectory Continue(string path, string runId)
    {
        StorageFailure.Guard(path, () =>
        {
            RemoveLeftovers(path);
            RunFile[] derived =
                [RunFile.Summary, RunFile.Prompts, RunFile.PartialPrompts, RunFile.Responses, RunFile.PartialResponses];
            foreach (var file in derived) File.Delete(file.In(path));
        });
        return new RunDirectory(path, runId);
    }

    /// <summary>What was being written when a process was killed: in the run's directory and in those of its starts.</summary>
    private static void RemoveLeftovers(string path)
    {
        foreach (var start in RunLayout.StartsIn(path)) AtomicFile.RemoveLeftovers(RunLayout.DirectoryOf(path, start));
    }

    /// <summary>Where a file of this run lies, for those who write their own: the logs of other ranks, raw samples.</summary>
    public string PathOf(string file) => System.IO.Path.Combine(Path, file);

    public void Append(IReadOnlyList<PromptRecord> prompts, IReadOnlyList<ResponseRecord> responses)
    {
        _responses.Append(responses);
        _prompts.Append(prompts);
    }

    /// <summary>Waits until the storage holds all that was appended, so that it outlives the node: outside energy windows.</summary>
    public void Sync()
    {
        _responses.Sync();
        _prompts.Sync();
    }

    /// <summary>The rows that were appended are final but for energy, which windows resolve afterwards: these replace them.</summary>
    public void CompleteResults(IEnumerable<PromptRecord> prompts)
    {
        _responses.Complete();
        _prompts.CompleteWith(prompts, CsvRows.WriteHeader<PromptRecord>);
    }

    public void WriteManifest(Manifest manifest) => AtomicFile.Write(RunFile.Manifest.In(Path), manifest.Write);

    /// <summary>The last file of a run.</summary>
    public void WriteSummary(SummaryRecord summary) => WriteCsv(RunFile.Summary.Name, [summary]);

    /// <typeparam name="T">A record whose properties say which columns they are.</typeparam>
    public void WriteCsv<T>(string file, IEnumerable<T> rows) => AtomicFile.Write(PathOf(file), stream => CsvRows.WriteTable(stream, rows));

    public void WriteJson(string file, object tree) =>
        AtomicFile.Write(PathOf(file), stream => JsonSerializer.Serialize(stream, tree, JsonRows.Document));

    /// <summary>
    /// A complete run is not continued: what it could have been continued from goes, and what starts were killed in the midst of. Of a
    /// start that measured nothing that counts nothing is left.
    /// </summary>
    public void DropJournals() => StorageFailure.Guard(Path, () =>
    {
        RemoveLeftovers(Path);
        var measured = RunLayout.PiecesIn(Path);
        foreach (var start in RunLayout.StartsIn(Path).Reverse())
        {
            var directory = RunLayout.DirectoryOf(Path, start);
            foreach (var file in Directory.EnumerateFiles(directory, "*.partial.*").Append(RunFile.Lease.In(directory))) File.Delete(file);
            if (start > 1 && !measured.Contains(start)) Directory.Delete(directory, recursive: true);
        }
    });

    /// <summary>Closes the files; what is partial stays so, for a later run to resume.</summary>
    public void Dispose()
    {
        _prompts.Dispose();
        _responses.Dispose();
    }
}
