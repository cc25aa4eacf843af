using System.Diagnostics;

namespace Harness.Energy;

/// <summary>The clock that every timestamp of a rank comes from: monotonic seconds since the run's origin.</summary>
public interface IRunClock
{
    double Seconds { get; }

    /// <summary>
    /// Time that it has not counted since an origin of its own, since the machine was suspended; null where that is not known.
    /// </summary>
    double? SuspendedSeconds { get; }

    /// <summary>
    /// Returns at <paramref name="deadlineSeconds"/>, or earlier once <paramref name="wake"/> is signalled; at once if the deadline is
    /// past.
    /// </summary>
    void Wait(double deadlineSeconds, WaitHandle? wake);
}

/// <summary>
/// <see cref="Stopwatch"/> ticks, on Linux CLOCK_MONOTONIC, which all processes of a host share: ranks of one host that are
/// given the same <paramref name="originTicks"/> have no offset between them.
/// </summary>
public sealed class MonotonicClock(long originTicks) : IRunClock
{
    public MonotonicClock() : this(Stopwatch.GetTimestamp()) { }

    /// <summary>The value of <see cref="Stopwatch.GetTimestamp"/> at second 0.</summary>
    public long OriginTicks => originTicks;

    public double Seconds => (Stopwatch.GetTimestamp() - originTicks) / (double)Stopwatch.Frequency;

    public double? SuspendedSeconds => SystemClocks.SuspendedSeconds;

    public void Wait(double deadlineSeconds, WaitHandle? wake)
    {
        var milliseconds = Math.Ceiling((deadlineSeconds - Seconds) * 1e3);
        if (milliseconds <= 0) return;
        var timeout = (int)Math.Min(milliseconds, int.MaxValue);
        if (wake != null) wake.WaitOne(timeout);
        else Thread.Sleep(timeout);
    }
}
