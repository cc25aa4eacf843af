namespace Harness.Runs.Records;

/// <summary>
/// A run's measured energy over all devices and measured repeats, as the summary states it. What is not known is null, never 0.
/// </summary>
public sealed record EnergyTotals
{
    public double? TotalJoules { get; init; }
    public double? NetJoules { get; init; }
    public double? IdleWatts { get; init; }
    public double? PrefillJoules { get; init; }
    public double? DecodeJoules { get; init; }
    public double? UnattributedJoules { get; init; }
    public double? CounterVsPowerRatio { get; init; }
    public string? Source { get; init; }
    public bool Valid { get; init; }

    /// <summary>Stable codes joined by a semicolon.</summary>
    public string? InvalidReasons { get; init; }
}
