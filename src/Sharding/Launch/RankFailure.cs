using Harness.Sharding.Mpi;

namespace Harness.Sharding.Launch;

/// <summary>
/// Who speaks when ranks fail. Ranks that fail for the same reason do so at nearly the same time; the lowest reports at once
/// and ends the world, and the others give it time to, each a little more, so that one message is printed.
/// </summary>
public static class RankFailure
{
    /// <summary>Seconds a process other than rank 0 stays silent when the launch itself is wrong and no rank can reach another.</summary>
    private const int SilentSeconds = 5;

    /// <summary>Holds a failed rank back before it reports: 0 s for rank 0, 0.6 s for rank 1, then 0.1 s more for each, up to 3 s.</summary>
    public static void Wait(int rank)
    {
        if (rank > 0) Thread.Sleep(TimeSpan.FromSeconds(Math.Min(0.5 + 0.1 * rank, 3)));
    }

    /// <summary>
    /// For a failure that every process meets before it can talk to the others: returns where this process is the one to report,
    /// else waits for the launcher to end it, and then ends it with exit code 1.
    /// </summary>
    public static void LetRankZeroSpeak(Launcher launcher)
    {
        if (launcher.Rank is null or 0) return;
        Thread.Sleep(TimeSpan.FromSeconds(SilentSeconds));
        ProcessControl.ExitAtOnce(1);
    }
}
