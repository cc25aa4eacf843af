using Harness.Common;

namespace Harness.Diagnosing;

/// <summary>
/// Whether run directories can be made in a directory: the two operations that a run relies on, tried there. Nothing is left
/// behind; a directory that is not there yet is tried in the nearest one that is.
/// </summary>
internal static class Storage
{
    /// <summary>What Linux calls file systems that several nodes can see.</summary>
    private static readonly string[] s_shared = ["nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "panfs", "afs", "glusterfs", "9p",
        "virtiofs", "smb", "cifs", "orangefs", "wekafs"];

    /// <exception cref="UserErrorException">It is not writable, or does not keep what a run relies on.</exception>
    public static IEnumerable<Finding> Examine(string output)
    {
        var path = Path.GetFullPath(output);
        var existing = path;
        while (!Directory.Exists(existing) && !File.Exists(existing)) existing = Path.GetDirectoryName(existing) ?? "/";
        if (File.Exists(existing)) throw new UserErrorException($"{existing} is a file, not a directory; choose another directory with "
            + "--out");
        var trial = Path.Combine(existing, $".harness-doctor-{Guid.NewGuid():N}");
        try
        {
            Try(trial);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be written ({e.Message.TrimEnd('.')}); allow it, or choose another directory "
                + "with --out", e);
        }
        finally
        {
            Remove(trial);
        }
        var drive = new DriveInfo(existing);
        var shared = s_shared.Any(name => drive.DriveFormat.Contains(name, StringComparison.OrdinalIgnoreCase));
        var found = FormattableString.Invariant(
            $"{path} on {drive.DriveFormat}, {drive.AvailableFreeSpace / 1e9:N1} GB free; exclusive mkdir and atomic rename work");
        yield return Finding.Ok("output directory", found);
        yield return shared
            ? Finding.Ok("shared storage", $"{drive.DriveFormat} is a file system of several nodes")
            : Finding.Missing("shared storage", $"{drive.DriveFormat} is a file system of this node alone",
                "for a run over several nodes choose a directory with --out that all of them see; on one node nothing is missing");
    }

    private static void Try(string trial)
    {
        if (!ExclusiveDirectory.TryCreate(trial)) throw new UserErrorException($"{trial} is there already; run harness doctor again");
        if (ExclusiveDirectory.TryCreate(trial))
            throw new UserErrorException($"{trial} could be made twice, so that two runs may take one name; choose another file system "
                + "with --out");
        var file = Path.Combine(trial, "file");
        foreach (var content in (byte[][])[[1], [2, 2]])
        {
            AtomicFile.Write(file, stream => stream.Write(content));
            if (!File.ReadAllBytes(file).SequenceEqual(content))
                throw new UserErrorException($"{file} does not hold what was written and renamed; choose another file system with --out");
        }
    }

    private static void Remove(string trial)
    {
        try
        {
            if (Directory.Exists(trial)) Directory.Delete(trial, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What cannot be removed could not be written either, which is the finding.
        }
    }
}
