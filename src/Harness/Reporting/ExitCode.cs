namespace Harness.Reporting;

/// <summary>What a process returns to the shell.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>Nothing more to say than the one line on standard error.</summary>
    public const int Failure = 1;

    /// <summary>Stopped by a signal or a time limit; what was finished is kept.</summary>
    public const int Interrupted = 3;

    /// <summary>Another process has this run, or has finished it (Output:IfTaken is refuse).</summary>
    public const int Taken = 4;
}
