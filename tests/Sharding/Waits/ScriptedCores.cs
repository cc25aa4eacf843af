using Harness.Sharding.Waits;

namespace Harness.Tests.Sharding.Waits;

/// <summary>A clock and a scheduler's account of one thread, both moved by hand.</summary>
internal sealed class ScriptedCores : TimeProvider
{
    private TimeSpan _now = TimeSpan.FromSeconds(1), _without;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => _now.Ticks;

    public long? RunDelay() => (long)_without.TotalNanoseconds;

    /// <param name="time">That passes.</param>
    /// <param name="share">Of it the thread has no core.</param>
    public void Pass(TimeSpan time, double share)
    {
        _now += time;
        _without += time * share;
    }

    public CoreShortage NewShortage() => new(this, RunDelay);
}
