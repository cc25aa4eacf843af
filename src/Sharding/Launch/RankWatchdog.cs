using Harness.Sharding.Mpi;

namespace Harness.Sharding.Launch;

/// <summary>
/// Ends a rank that has stopped advancing. Survivors of a dead peer get no error from MPI: they wait for ever, and some
/// launchers do not end them (a lost node under Hydra). An exception is not its business: that aborts the world at once.
/// It cannot tell a dead peer from a slow one, so the limit must exceed the longest step.
/// </summary>
public sealed class RankWatchdog : IDisposable
{
    private readonly Timer _timer;
    private readonly TimeSpan _limit;
    private readonly Action<string> _stalled;
    private long _lastSign = Environment.TickCount64;
    private int _fired;

    /// <param name="limit">Longest time between two signs of life.</param>
    /// <param name="stalled">Called once, on a thread of its own, with a line that says what happened.</param>
    public RankWatchdog(TimeSpan limit, Action<string> stalled)
    {
        (_limit, _stalled) = (limit, stalled);
        _timer = new Timer(_ => Look(), null, limit / 4, limit / 4);
    }

    /// <summary>A watchdog that reports and ends this process, and by that its job; ranks that stall together report once (<see cref="RankFailure"/>).</summary>
    public static RankWatchdog EndingProcess(TimeSpan limit, int rank, Action<string> report) => new(limit, message =>
    {
        RankFailure.Wait(rank);
        report($"rank {rank}: {message}");
        ProcessControl.ExitAtOnce(1);
    });

    /// <summary>A sign of life, cheap enough for every step.</summary>
    public void Alive() => Volatile.Write(ref _lastSign, Environment.TickCount64);

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        var silent = TimeSpan.FromMilliseconds(Environment.TickCount64 - Volatile.Read(ref _lastSign));
        if (silent > _limit && Interlocked.Exchange(ref _fired, 1) == 0)
            _stalled(FormattableString.Invariant($"no progress for {silent.TotalSeconds:0.0} s; a peer has probably died, or the limit is shorter than a step"));
    }
}
