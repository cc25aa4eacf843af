using System.Runtime.InteropServices;

namespace Harness.Sharding.Launch;

/// <summary>An exception that every rank of the world throws with the same message, having compared notes before.</summary>
public interface IAgreedFailure;

/// <summary>
/// Who speaks when ranks that are processes fail. Ranks that fail for the same reason do so at nearly the same time; the
/// lowest reports at once and ends the world, and the others give it time to, each a little more, so that one message is printed.
/// Where all know of the failure (<see cref="IAgreedFailure"/>), rank 0 alone speaks, however long that takes.
/// </summary>
public static class RankFailure
{
    /// <summary>How long a process stays silent when the launch itself is wrong, so that rank 0's end may not end it.</summary>
    private static readonly TimeSpan s_alone = TimeSpan.FromSeconds(5);

    /// <summary>How long it waits for rank 0 to speak and to abort the world that both are in.</summary>
    private static readonly TimeSpan s_together = TimeSpan.FromSeconds(10);

    /// <summary>What a launcher needs to pass a line on: Hydra drops what it has not read when a rank aborts.</summary>
    private static readonly TimeSpan s_untilRead = TimeSpan.FromSeconds(0.3);

    /// <summary>
    /// Calls <paramref name="report"/> when this rank's turn has come: at once on rank 0, after 3.1 s on rank 1, then 0.1 s later for each,
    /// up to 6 s. A rank that is told to end meanwhile (SIGTERM: another has aborted the world) ends without a word, with exit code 1.
    /// </summary>
    /// <returns>What <paramref name="report"/> returned.</returns>
    public static T InTurn<T>(int rank, Func<T> report)
    {
        if (rank > 0) WaitSilently(TimeSpan.FromSeconds(Math.Min(3 + 0.1 * rank, 6)));
        var result = report();
        Thread.Sleep(s_untilRead);
        return result;
    }

    /// <summary>
    /// The same for an exception; of an agreed failure every rank but 0 waits to be ended and then ends by itself, without a word.
    /// </summary>
    /// <returns>What <paramref name="report"/> returned.</returns>
    public static int Of(Exception e, int rank, Func<Exception, int> report)
    {
        if (e is IAgreedFailure && rank > 0) EndSilently(s_together);
        return InTurn(rank, () => report(e));
    }

    /// <summary>
    /// Ends every rank with the same exit code, by way of Hydra, once all have done everything: rank 0 tells it the code, and the others
    /// wait to be ended. Does not return.
    /// </summary>
    internal static void EndTogether(Launcher launcher, int rank, int code)
    {
        if (rank == 0)
        {
            Thread.Sleep(s_untilRead);
            ProcessManager.Abort(launcher, code);
        }
        Thread.Sleep(s_together);
        ProcessControl.ExitAtOnce(code);
    }

    /// <summary>
    /// For a failure that every process meets before it can talk to the others: returns where this process is the one to report,
    /// else waits for the launcher to end it, and then ends it with exit code 1.
    /// </summary>
    public static void LetRankZeroSpeak(Launcher launcher)
    {
        if (launcher.Rank is not (null or 0)) EndSilently(s_alone);
    }

    private static void EndSilently(TimeSpan time)
    {
        WaitSilently(time);
        ProcessControl.ExitAtOnce(1);
    }

    private static void WaitSilently(TimeSpan time)
    {
        using var told = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => ProcessControl.ExitAtOnce(1));
        Thread.Sleep(time);
    }
}
