using Harness.Common;
using Harness.Configuration;
using Harness.Energy;
using Harness.Reporting;
using Harness.Sharding;
using Harness.Sharding.Launch;

namespace Harness.Running;

/// <summary>
/// The stages of a run that ranks go through together (<see cref="JointStage"/>), watched: where a rank has died or hangs, the job ends
/// with one line.
/// </summary>
/// <param name="stopRequested">Whether this rank was told to stop.</param>
/// <param name="stallLimit">Longest time without a sign of life.</param>
internal sealed class JointStages(ICommunicator world, Func<bool> stopRequested, TimeSpan stallLimit)
{
    /// <summary>Ranks speak often enough for a few words within the limit, and for a stop to be heard at once.</summary>
    private readonly TimeSpan _beat = TimeSpan.FromMilliseconds(Math.Min(200, stallLimit.TotalMilliseconds / 8));

    /// <summary>
    /// More than a rank is busy with by itself once all have ended their work: it reads its sensor to the last update, and puts devices
    /// back.
    /// </summary>
    private static readonly TimeSpan s_longestEnd = TimeSpan.FromMinutes(1);

    private RankWatchdog? _watchdog;

    public static JointStages Of(ShardingOptions sharding, ICommunicator world, Func<bool> stopRequested) =>
        new(world, stopRequested, sharding.StallLimit);

    /// <summary>Watches stages, and the short exchanges between them: within, no rank may do anything long outside of a stage.</summary>
    /// <returns>What the work returns.</returns>
    public T Watched<T>(Func<T> work) => Watched(work, stallLimit);

    /// <summary>Watches what ranks tell each other behind the last stage. No sign of life is given in it.</summary>
    /// <returns>What the work returns.</returns>
    public T WatchedEnd<T>(Func<T> work) => Watched(work, stallLimit > s_longestEnd ? stallLimit : s_longestEnd);

    private T Watched<T>(Func<T> work, TimeSpan limit)
    {
        // Threads of one process cannot die without a word. A word of a living rank may be late by a beat.
        using var watchdog = !world.CanLosePeers || world.Size == 1 ? null : RankWatchdog.EndingProcess(
            limit + _beat, world.Rank, line => Failure.Report(new UserErrorException(line)));
        _watchdog = watchdog;
        try
        {
            return work();
        }
        finally
        {
            _watchdog = null;
        }
    }

    /// <param name="work">Returns whether it went to its end.</param>
    /// <param name="atEachBeat">What is to be done a few times a second, while working and while waiting for other ranks.</param>
    /// <returns>Whether every rank's work went to its end; equal on every rank.</returns>
    public bool Run(Func<JointStage, bool> work, Action? atEachBeat = null)
    {
        Sign();
        var stage = new JointStage(world, stopRequested, Sign, _beat, atEachBeat);
        var isWhole = !stage.End(early: !work(stage));
        Sign();
        return isWhole;
    }

    /// <summary>Lets time pass.</summary>
    /// <returns>Whether all of it has; false where the run is told to stop.</returns>
    public bool Wait(double seconds, IRunClock clock) => Run(stage =>
    {
        var until = clock.Seconds + seconds;
        while (clock.Seconds < until && !stage.IsToStop)
        {
            clock.Wait(Math.Min(until, clock.Seconds + _beat.TotalSeconds), null);
            stage.Alive();
        }
        return clock.Seconds >= until;
    });

    private void Sign() => _watchdog?.Alive();
}
