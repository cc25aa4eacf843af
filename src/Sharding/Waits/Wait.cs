using System.Diagnostics;

namespace Harness.Sharding.Waits;

/// <summary>
/// What a rank does between two looks at what it waits for. With a core of its own: nothing, the next look follows at once.
/// Where cores are short: nothing for some microseconds, then it yields, then it sleeps a quarter of the time waited so far, so that it
/// comes late by no more than that.
/// </summary>
internal struct Wait(CoreShortage shortage)
{
    private const double SpinMicroseconds = 10;
    private const double YieldMicroseconds = 20;
    private const double ShortestSleepMicroseconds = 20;
    private const double LongestSleepMicroseconds = 500;

    /// <summary>Looks between two questions whether a core has become short: some tenths of a millisecond of MPI_Test.</summary>
    private const int LooksPerQuestion = 1024;

    /// <summary>Of <see cref="Thread.SpinWait"/> between two looks at memory: some tenths of a microsecond.</summary>
    public const int SpinIterations = 20;

    private int _looks;
    private long _started;

    /// <summary>
    /// Looks at memory before a thread blocks until it is woken: for some 100 µs, or for as long as <see cref="Pause"/> spins.
    /// </summary>
    public static int SpinsBeforeBlocking(CoreShortage shortage) => shortage.Patient ? 10 : 200;

    /// <summary>Called after every look that found nothing.</summary>
    public void Pause()
    {
        if (++_looks % LooksPerQuestion == 0) shortage.Look();
        if (!shortage.Patient) return;
        var now = Stopwatch.GetTimestamp();
        if (_started == 0) _started = now;
        var waited = (now - _started) * 1e6 / Stopwatch.Frequency;
        if (waited < SpinMicroseconds) return;
        if (waited < SpinMicroseconds + YieldMicroseconds) Thread.Yield();
        else ProcessControl.Pause((int)Math.Clamp(waited / 4, ShortestSleepMicroseconds, LongestSleepMicroseconds));
    }
}
