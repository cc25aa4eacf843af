using System.Runtime.InteropServices;
using Harness.Sharding.Mpi;

namespace Harness.Sharding.Launch;

/// <summary>
/// Who speaks when ranks that are processes fail. Ranks that fail for the same reason do so at nearly the same time; the
/// lowest reports at once and ends the world, and the others give it time to, each a little more, so that one message is printed.
/// </summary>
public static class RankFailure
{
    /// <summary>Seconds a process other than rank 0 stays silent when the launch itself is wrong and no rank can reach another.</summary>
    private const int SilentSeconds = 5;

    /// <summary>What a launcher needs to pass a line on: Hydra drops what it has not read when a rank aborts.</summary>
    private static readonly TimeSpan s_untilRead = TimeSpan.FromSeconds(0.3);

    /// <summary>
    /// Calls <paramref name="report"/> when this rank's turn has come: at once on rank 0, after 1.1 s on rank 1, then 0.1 s later for each, up
    /// to 4 s. A rank that is told to end meanwhile (SIGTERM: another has aborted the world) ends without a word, with exit code 1.
    /// </summary>
    /// <returns>What <paramref name="report"/> returned.</returns>
    public static T InTurn<T>(int rank, Func<T> report)
    {
        if (rank > 0) WaitSilently(TimeSpan.FromSeconds(Math.Min(1 + 0.1 * rank, 4)));
        var result = report();
        Thread.Sleep(s_untilRead);
        return result;
    }

    /// <summary>
    /// For a failure that every process meets before it can talk to the others: returns where this process is the one to report,
    /// else waits for the launcher to end it, and then ends it with exit code 1.
    /// </summary>
    public static void LetRankZeroSpeak(Launcher launcher)
    {
        if (launcher.Rank is null or 0) return;
        WaitSilently(TimeSpan.FromSeconds(SilentSeconds));
        ProcessControl.ExitAtOnce(1);
    }

    private static void WaitSilently(TimeSpan time)
    {
        using var told = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => ProcessControl.ExitAtOnce(1));
        Thread.Sleep(time);
    }
}
