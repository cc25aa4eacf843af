namespace Harness.Sharding.Waits;

/// <summary>
/// Whether a rank, while it waits, should give away its core: because ranks and their threads outnumber the cores
/// (<see cref="CoreClaims"/>), because this rank was seen waiting for a core that something else used, or because a peer was.
/// A shortage that was seen counts for some time after its last sign, and for longer each time it comes back soon. Used by
/// one thread at a time.
/// </summary>
internal sealed class CoreShortage
{
    /// <summary>
    /// Two looks are at least so far apart: many time slices of a thread that shares its core, and longer than the bursts in which
    /// a runtime compiles or another program starts.
    /// </summary>
    public static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

    public static readonly TimeSpan ShortestHold = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan LongestHold = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Time without a core ÷ time. One other thread on the same core makes 0.5, one among two ranks on two cores 0.33, a system's own
    /// short work below 0.01.
    /// </summary>
    private const double LeastShare = 0.25;

    private readonly TimeProvider _time;
    private readonly Func<long?> _runDelay;
    private long _lastLook, _lastDelay, _until;
    private TimeSpan _hold = ShortestHold;
    private bool _seen, _ever;

    public CoreShortage() : this(TimeProvider.System, new RunDelay().Read)
    {
    }

    /// <param name="time">Clock of the looks.</param>
    /// <param name="runDelay">Nanoseconds that the calling thread has waited for a core so far; null where nobody knows.</param>
    internal CoreShortage(TimeProvider time, Func<long?> runDelay)
    {
        (_time, _runDelay) = (time, runDelay);
        _lastLook = time.GetTimestamp();
        _lastDelay = runDelay() ?? 0;
    }

    /// <summary>The ranks and threads of this machine are more than its cores: counts for good.</summary>
    public bool Outnumbered { get; set; }

    /// <summary>Of this rank alone.</summary>
    public bool Lacks => Outnumbered || _seen;

    /// <summary>Set when the ranks of a communicator agree (<see cref="AgreedPatience"/>).</summary>
    public bool PeersLack
    {
        get;
        set
        {
            field = value;
            _ever |= value;
        }
    }

    /// <summary>Whether to wait by sleeping.</summary>
    public bool Patient => Lacks || PeersLack;

    /// <summary>Whether that was so at any time.</summary>
    public bool HasBeenPatient => _ever || Patient;

    /// <summary>Compares the time without a core with the time since the last look, where that is long enough.</summary>
    /// <returns><see cref="Lacks"/>.</returns>
    public bool Look()
    {
        if (Outnumbered) return true;
        var now = _time.GetTimestamp();
        var passed = _time.GetElapsedTime(_lastLook, now);
        if (passed < LookEvery || _runDelay() is not { } delay) return _seen;
        var without = TimeSpan.FromMicroseconds((delay - _lastDelay) * 1e-3);
        (_lastLook, _lastDelay) = (now, delay);
        if (without >= passed * LeastShare) Extend(now);
        else if (_seen && now >= _until) _seen = false;
        return _seen;
    }

    private void Extend(long now)
    {
        if (!_seen)
        {
            // Patience hides the shortage that it answers: soon after its end, the end was a mistake.
            var since = _time.GetElapsedTime(_until, now);
            _hold = _until != 0 && since < 4 * _hold ? Min(2 * _hold, LongestHold) : ShortestHold;
        }
        _seen = _ever = true;
        _until = now + (long)(_hold.TotalSeconds * _time.TimestampFrequency);
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
