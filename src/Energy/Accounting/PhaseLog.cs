namespace Harness.Energy.Accounting;

/// <summary>
/// What a rank did with its time, as fine as its meter resolves: neighbours become one stretch as long as that is no longer than a sampling
/// interval, and what is longer stands alone. So any two neighbours take more than an interval, and there are at most twice as many
/// stretches as readings of one device, however many passes a second there are. One thread.
/// </summary>
/// <param name="intervalSeconds">Between readings.</param>
public sealed class PhaseLog(double intervalSeconds)
{
    private readonly List<PhaseStretch> _closed = [];
    private PhaseStretch? _open;

    /// <summary>The rank waited for activations, tokens or requests.</summary>
    public void AddWait(double startSeconds, double endSeconds) =>
        Add(new(startSeconds, endSeconds, 0, 0, 0, endSeconds - startSeconds));

    /// <summary>A pass through the rank's stage.</summary>
    /// <param name="prefillShare">Of its tokens, those of prompts.</param>
    /// <param name="waitingSeconds">At its start, for the stage before.</param>
    public void AddPass(double startSeconds, double endSeconds, double prefillShare, double communicationSeconds, double waitingSeconds)
    {
        var begun = Math.Min(endSeconds, startSeconds + waitingSeconds);
        if (begun > startSeconds) AddWait(startSeconds, begun);
        var communication = Math.Min(communicationSeconds, endSeconds - begun);
        var computing = endSeconds - begun - communication;
        Add(new(begun, endSeconds, computing * prefillShare, computing * (1 - prefillShare), communication, 0));
    }

    /// <summary>The same where the host does not see what the device did in it besides computing.</summary>
    public void AddUnseenPass(double startSeconds, double endSeconds, double prefillShare)
    {
        var seconds = endSeconds - startSeconds;
        Add(new(startSeconds, endSeconds, seconds * prefillShare, seconds * (1 - prefillShare), null, null));
    }

    /// <summary>A wait of the host in which the device may have done anything.</summary>
    public void AddUnseenWait(double startSeconds, double endSeconds) => Add(new(startSeconds, endSeconds, 0, 0, null, null));

    /// <summary>What follows is no part of the same stretch: a window has begun or ended.</summary>
    public void Close()
    {
        if (_open is { } open) _closed.Add(open);
        _open = null;
    }

    /// <summary>All since the last time.</summary>
    public PhaseStretch[] TakeNew()
    {
        Close();
        PhaseStretch[] taken = [.. _closed];
        _closed.Clear();
        return taken;
    }

    private void Add(PhaseStretch next)
    {
        if (_open is { } open && next.EndSeconds - open.StartSeconds <= intervalSeconds) _open = open.Through(next);
        else
        {
            Close();
            _open = next;
        }
    }
}
