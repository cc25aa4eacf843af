using Harness.Common;

namespace Harness.Reporting;

/// <summary>How far a stage is, how fast it went, and how long it will take. Reported by some threads, read by another.</summary>
internal sealed class StageClock(StageUnit unit, double total, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly long _began = time.GetTimestamp();
    private StageProgress _latest;

    public StageUnit Unit => unit;

    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    public StageProgress Latest
    {
        get
        {
            lock (_lock) return _latest;
        }
        set
        {
            lock (_lock) _latest = value;
        }
    }

    public string Count => unit.Count(Latest.Done, total);

    public string ShortCount => unit.ShortCount(Latest.Done, total);

    public string Rate => unit.Rate(PerSecond);

    public double FractionDone => total > 0 ? Math.Clamp(Latest.Done / total, 0, 1) : 1;

    /// <summary>What was worked each second since the stage began; null in its first moment.</summary>
    public double? PerSecond => Elapsed.TotalSeconds is > 0 and var s ? Latest.Worked / s : null;

    /// <summary>If the rest goes as fast as what is done; null while nothing is.</summary>
    public TimeSpan? Remaining => FractionDone > 0 ? Elapsed * ((1 - FractionDone) / FractionDone) : null;
}
