namespace Harness.Energy.Accounting;

/// <summary>From where on a measurement is not believed. One set of defaults; a run records the ones it used.</summary>
public sealed record ValidityLimits
{
    /// <summary>
    /// Updates of the sensor that a window must hold. An edge is known to about a quarter of an update period at worst (one
    /// step of the load inside it), so eight updates bound the error of both edges to some 6 % of a full-scale step.
    /// </summary>
    public double MinimumUpdates { get; init; } = 8;

    /// <summary>The longest pause between two samples, in sampling intervals (or sensor updates, if those are longer).</summary>
    public double MaximumGapIntervals { get; init; } = 5;

    /// <summary>
    /// How far the ratio of counter to integrated power may be from 1. NVIDIA states ±5 % for the power sensor of most boards.
    /// </summary>
    public double CounterPowerTolerance { get; init; } = 0.10;

    /// <summary>The greatest uncertainty of a node's clock against rank 0's, as a share of the window.</summary>
    public double ClockUncertaintyFraction { get; init; } = 0.005;

    /// <summary>
    /// The greatest part of the busy processor time that others may have. Joules above idle go by busy time, so that net joules are at
    /// most this much too high: as much as NVIDIA's sensors are off.
    /// </summary>
    public double OthersOfBusyTime { get; init; } = 0.05;

    /// <summary>
    /// Or the greatest part of all processor time: what a system at rest does for itself. Full sockets draw some three times what idle
    /// ones do, so 1 % of their time is 2 % of idle power; twice that on cores that run faster alone.
    /// </summary>
    public double OthersOfAllTime { get; init; } = 0.01;

    /// <summary>
    /// The most that the counter of a superchip's module may show over its GPU's power: a GPU at rest (80 W) beside a CPU and its
    /// memory at work (300 W).
    /// </summary>
    public double MaximumModuleRatio { get; init; } = 5;

    /// <summary>The shortest window that a sensor of this update period (s) can measure; null when the period is unknown.</summary>
    public double? MinimumWindowSeconds(double? updateSeconds) => MinimumUpdates * updateSeconds;
}
