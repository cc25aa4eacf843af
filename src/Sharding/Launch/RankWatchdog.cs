namespace Harness.Sharding.Launch;

/// <summary>
/// Ends a rank that has stopped advancing. Survivors of a dead peer get no error from MPI: they wait for ever, and some
/// launchers do not end them (a lost node under Hydra). An exception is not its business: that aborts the world at once.
/// It cannot tell a dead peer from a slow one, so the limit must exceed the longest step.
/// </summary>
public sealed class RankWatchdog : IDisposable
{
    private const int PatienceSeconds = 5;

    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly TimeSpan _limit;
    private readonly Action<string> _stalled;
    private long _lastSign;
    private int _fired;

    /// <param name="limit">Longest time between two signs of life.</param>
    /// <param name="stalled">Called once, on a thread of its own, with a line that says what happened.</param>
    /// <param name="time">Null takes the system's.</param>
    public RankWatchdog(TimeSpan limit, Action<string> stalled, TimeProvider? time = null)
    {
        (_limit, _stalled, _time) = (limit, stalled, time ?? TimeProvider.System);
        Alive();
        _timer = _time.CreateTimer(_ => Look(), null, limit / 4, limit / 4);
    }

    /// <summary>
    /// A watchdog that reports and ends this process, and by that its job. Rank 0 comes first; the others wait
    /// <see cref="PatienceSeconds"/> longer, in which the launcher ends them, and speak where it does not.
    /// </summary>
    public static RankWatchdog EndingProcess(TimeSpan limit, int rank, Action<string> report) =>
        new(rank == 0 ? limit : limit + TimeSpan.FromSeconds(PatienceSeconds), message =>
        {
            LastActs.Perform();
            var code = RankFailure.InTurn(rank, () =>
            {
                report($"rank {rank}: {message}");
                return 1;
            });
            ProcessManager.Abort(Launcher.Detect(), code);
            Thread.Sleep(TimeSpan.FromSeconds(1));
            ProcessControl.ExitAtOnce(code);
        });

    /// <summary>A sign of life, cheap enough for every step.</summary>
    public void Alive() => Volatile.Write(ref _lastSign, _time.GetTimestamp());

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        var silent = _time.GetElapsedTime(Volatile.Read(ref _lastSign));
        if (silent > _limit && Interlocked.Exchange(ref _fired, 1) == 0)
            _stalled(FormattableString.Invariant(
                $"no progress for {silent.TotalSeconds:0.0} s; a peer has probably died, or the limit is shorter than a step"));
    }
}
