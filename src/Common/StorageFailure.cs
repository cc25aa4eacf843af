namespace Harness.Common;

/// <summary>Turns what goes wrong when a result is written into one line that says where, why, and what to do.</summary>
public static class StorageFailure
{
    private static readonly int[] s_full = [28 /* ENOSPC */, 122 /* EDQUOT */, unchecked((int)0x80070070), unchecked((int)0x80070027)];

    public static void Guard(string path, Action write)
    {
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Describe(path, e);
        }
    }

    /// <summary>
    /// Before something is appended to a file that is open: one that was deleted takes writes without a word, and nobody will ever read
    /// them.
    /// </summary>
    /// <exception cref="FileNotFoundException">It is not under its name any more.</exception>
    /// <exception cref="IOException">The storage cannot say: a stale handle, for one.</exception>
    public static void MustBeThere(string path)
    {
        try
        {
            if (File.GetAttributes(path).HasFlag(FileAttributes.Directory)) throw new FileNotFoundException(null, path);
        }
        catch (DirectoryNotFoundException e)
        {
            throw new FileNotFoundException(null, path, e);
        }
    }

    public static UserErrorException Describe(string path, Exception cause)
    {
        if (cause is FileNotFoundException)
            return new UserErrorException(
                $"cannot write {path}: it has been deleted or moved away since it was begun, and with it what was finished before; "
                + "move it back, and the same command goes on from it, or begin anew", cause);
        if (cause is DirectoryNotFoundException)
            return new UserErrorException(
                $"cannot write {path}: its directory is not there, or not any more, and neither is what was written to it before; "
                + "make it or move it back, or choose another one with --out", cause);
        var (reason, remedy) = cause switch
        {
            _ when s_full.Contains(cause.HResult) => ("the disk or the quota is full", "free some space"),
            UnauthorizedAccessException => ("there is no permission", "allow it"),
            _ => (cause.Message.TrimEnd('.'), "put that right"),
        };
        return new UserErrorException(
            $"cannot write {path}: {reason}; {remedy}, or choose another directory with --out; what was finished before is kept", cause);
    }
}
