using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Runs.Records;

namespace Harness.Runs.Pieces;

/// <summary>A run that was cut off and that this start continues.</summary>
/// <param name="Start">This start's number, claimed for it alone.</param>
/// <param name="Manifest">Null where the run was cut off before it had one.</param>
public sealed record UnfinishedRun(string Directory, int Start, JsonObject? Manifest)
{
    /// <summary>What versions without a journal for each start kept.</summary>
    private static readonly string[] s_olderJournals = ["batches.partial.bin", "windows.partial.jsonl"];

    /// <summary>What its summary would have begun with; null where it was cut off before that was known.</summary>
    public SummaryRecord? Known => Manifest == null ? null : Runs.Manifest.RunOf(Manifest);

    public string? RunId => Known?.RunId;

    /// <summary>
    /// Looks among the runs of that name (NAME, NAME-2, …), or without a name among all of the output directory, newest first,
    /// for one of the same identity that is not complete and that no living process has.
    /// </summary>
    /// <param name="output">The directory in which runs lie.</param>
    /// <param name="takenBy">Why there is none although the name is taken: another process has it, or it is done; null otherwise.</param>
    public static UnfinishedRun? Claim(string output, string? name, string identity, out string? takenBy)
    {
        takenBy = null;
        if (name != null) RunName.Checked(name);
        foreach (var directory in Candidates(output, name))
        {
            // Without either it was cut off, or is, between the making of the directory and the lease.
            if (!File.Exists(RunFile.Lease.In(directory)) && new RunReader(directory).IsComplete)
            {
                takenBy ??= name == null ? null : "it is complete";
                continue;
            }
            var manifest = ManifestOf(directory, out var damage);
            if ((damage ?? Difference(directory, manifest, identity)) is { } obstacle)
            {
                takenBy ??= name == null ? null : obstacle;
                continue;
            }
            if (manifest == null && name == null) continue;
            var last = RunLayout.StartsIn(directory)[^1];
            if (RunLease.LivingHolder(RunLayout.DirectoryOf(directory, last)) is { } holder)
            {
                takenBy = holder;
                continue;
            }
            // A holder that lets go has written its summary before.
            if (HasEnded(directory))
            {
                takenBy ??= name == null ? null : "it is complete";
                continue;
            }
            if (TryClaim(RunLayout.DirectoryOf(directory, last + 1))) return new(directory, last + 1, manifest);
            takenBy = "another process, which has just begun to continue it";
        }
        return null;
    }

    /// <summary>Why this start is none of that run's; null where it is.</summary>
    private static string? Difference(string directory, JsonObject? manifest, string identity)
    {
        var version = manifest.TextAt("software", "harness");
        if (version != null && version != Build.Version)
            return $"it was begun by harness {version}, which can go on with it; this is {Build.Version}";
        if (manifest != null && manifest.TextAt(Runs.Manifest.IdentitySection) != identity) return "it has another configuration";
        return s_olderJournals.Any(file => File.Exists(Path.Combine(directory, file)))
            ? "its journals are of another form; the version that began it can go on with it" : null;
    }

    private static bool TryClaim(string start)
    {
        var isMade = false;
        StorageFailure.Guard(start, () => isMade = ExclusiveDirectory.TryCreate(start));
        return isMade;
    }

    private static IEnumerable<string> Candidates(string output, string? name)
    {
        if (name == null)
            return System.IO.Directory.Exists(output)
                ? System.IO.Directory.EnumerateDirectories(output).OrderDescending(StringComparer.Ordinal) : [];
        return Enumerable.Range(1, int.MaxValue)
            .Select(i => Path.Combine(output, i == 1 ? name : FormattableString.Invariant($"{name}-{i}")))
            .TakeWhile(System.IO.Directory.Exists);
    }

    /// <summary>
    /// Whether nothing is left to do: it may have been completed while its holder was asked after, or been killed just before it put its
    /// journals away.
    /// </summary>
    private static bool HasEnded(string directory)
    {
        var run = new RunReader(directory);
        try { return run.IsComplete && run.Summary().Status is (RunStatus.Complete or RunStatus.Skipped); }
        catch (UserErrorException) { return false; }
    }

    /// <summary>Null where there is none yet, or none that can be read.</summary>
    /// <param name="damage">Why it cannot be read, or not as a run's: somebody else's, or damaged; null otherwise.</param>
    private static JsonObject? ManifestOf(string directory, out string? damage)
    {
        damage = null;
        try
        {
            var run = new RunReader(directory);
            var manifest = run.HasManifest ? run.ReadManifest() : null;
            if (manifest != null) StartRecord.Of(manifest, RunFile.Manifest.In(directory));
            return manifest;
        }
        catch (UserErrorException e)
        {
            damage = e.Message;
            return null;
        }
    }
}
