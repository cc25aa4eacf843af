namespace Harness.Common;

/// <summary>Turns what goes wrong when a result is written into one line that says where, why, and what to do.</summary>
public static class StorageFailure
{
    private static readonly int[] Full = [28 /* ENOSPC */, 122 /* EDQUOT */, unchecked((int)0x80070070), unchecked((int)0x80070027)];

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

    public static UserErrorException Describe(string path, Exception cause)
    {
        var (reason, remedy) = cause switch
        {
            _ when Full.Contains(cause.HResult) => ("the disk or the quota is full", "free some space"),
            UnauthorizedAccessException => ("there is no permission", "allow it"),
            _ => (cause.Message.TrimEnd('.'), "put that right"),
        };
        return new UserErrorException(
            $"cannot write {path}: {reason}; {remedy}, or choose another directory with --out; what was finished before is kept", cause);
    }
}
