using Harness.Common;

namespace Harness.Sweeping;

/// <summary>How far a sweep is, in a line between its cells: the terminal is the cell's own while it runs.</summary>
/// <param name="cells">Those that fit.</param>
internal sealed class SweepClock(int cells, TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();
    private int _done, _failed, _other, _run;

    /// <summary>Null once no cell is left.</summary>
    public string? Line
    {
        get
        {
            var left = cells - _done - _failed - _other;
            if (left <= 0) return null;
            // Those that were there before took no time.
            var remaining = _run > 0 ? $", about {Figures.Clock(time.GetElapsedTime(_began) / _run * left)}" : "";
            var failed = _failed > 0 ? FormattableString.Invariant($", {_failed} failed") : "";
            return FormattableString.Invariant($"sweep: {_done} of {cells} cells done{failed}, {left} left{remaining}");
        }
    }

    public void Ended(Outcome outcome)
    {
        switch (outcome)
        {
            case Outcome.Complete:
                (_done, _run) = (_done + 1, _run + 1);
                break;
            case Outcome.Skipped:
                _done++;
                break;
            case Outcome.Failed or Outcome.Invalid:
                (_failed, _run) = (_failed + 1, _run + 1);
                break;
            case Outcome.Taken or Outcome.Stopped:
                _other++;
                break;
        }
    }
}
