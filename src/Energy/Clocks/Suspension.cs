using System.Text.Json.Serialization;

namespace Harness.Energy.Clocks;

/// <summary>
/// A machine was suspended: its monotonic clock, by which everything is dated, stood still, while devices and other nodes went on.
/// </summary>
/// <param name="StartSeconds">When it was last seen running before, on that clock.</param>
/// <param name="EndSeconds">When it was seen again.</param>
/// <param name="SuspendedSeconds">Time that the clock does not count.</param>
public sealed record Suspension(
    [property: JsonPropertyName("host")] string Host,
    [property: JsonPropertyName("start_s")] double StartSeconds,
    [property: JsonPropertyName("end_s")] double EndSeconds,
    [property: JsonPropertyName("suspended_s")] double SuspendedSeconds)
{
    public bool Touches(double startSeconds, double endSeconds) => StartSeconds < endSeconds && EndSeconds > startSeconds;
}

/// <summary>Finds suspensions of this machine between its looks, of which there is one at each window's edge.</summary>
public sealed class SuspensionWatch(IRunClock clock, string host)
{
    /// <summary>What a look may be off, several times over; no machine is suspended for less.</summary>
    private const double LeastSeconds = 0.01;

    private readonly List<Suspension> _found = [];
    private (double Seconds, double? Suspended) _last = (clock.Seconds, clock.SuspendedSeconds);

    public IReadOnlyList<Suspension> Found => _found;

    public void Look()
    {
        var now = (clock.Seconds, clock.SuspendedSeconds);
        if (now.SuspendedSeconds - _last.Suspended is { } stood && stood >= LeastSeconds)
            _found.Add(new(host, _last.Seconds, now.Seconds, stood));
        _last = now;
    }
}
