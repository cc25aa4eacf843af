namespace Harness.Sharding.Communicators;

/// <summary>What <see cref="ICommunicator.Abort"/> throws where the ranks share one process, on the rank that called it.</summary>
public sealed class WorldAbortedException(int exitCode) : Exception($"the world was aborted with exit code {exitCode}")
{
    public int ExitCode { get; } = exitCode;
}
