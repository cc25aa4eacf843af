namespace Harness.Energy.Accounting;

/// <summary>
/// The stable codes of <c>invalid_reasons</c>. A figure is valid when it has none; what could not be checked counts as
/// failed. They speak of energy alone.
/// </summary>
public static class InvalidReason
{
    public const string NoMeter = "no_meter";
    public const string MeterLost = "meter_lost";
    public const string CounterDecreased = "counter_decreased";
    public const string PowerImplausible = "power_implausible";
    public const string SampleGap = "sample_gap";
    public const string WindowTooShort = "window_too_short";
    public const string DeviceShared = "device_shared";
    public const string Mig = "mig";
    public const string DeviceMissing = "device_missing";
    public const string ClockOffset = "clock_offset";
    public const string ClockSuspended = "clock_suspended";
    public const string Throttled = "throttled";
    public const string StartTemperature = "start_temperature";
    public const string CounterPowerMismatch = "counter_power_mismatch";
    public const string RankMissing = "rank_missing";
    public const string Interrupted = "interrupted";

    /// <summary>
    /// Each code, in the order in which they are written, with what it means to people (Markdown); docs/measurement.md has the same.
    /// </summary>
    public static readonly IReadOnlyList<(string Code, string Meaning)> Table =
    [
        (NoMeter, "nothing was measured; the only reason then"),
        (MeterLost, "a device stopped giving what it gave at first, or its readings do not reach the window's edges"),
        (CounterDecreased, "a cumulative counter fell, and not by a wrap"),
        (PowerImplausible, "counter or sensor showed a power that no such device draws, or a negative one"),
        (SampleGap, "two samples lie more than 5 intervals apart"),
        (WindowTooShort, "the window holds fewer than 8 updates of the sensor, or its update period is unknown"),
        (DeviceShared, "another process computed on the GPU, others worked on the machine of a socket's or a node's meter, "
            + "or that could not be told"),
        (Mig, "the device is cut into MIG slices, or that could not be told"),
        (DeviceMissing, "a rank computed on something that no counted meter covers, or covers only in part: one of two "
            + "sockets, the memory of one"),
        (ClockOffset, "a node's clock is known to no better than 0.5 % of the window"),
        (ClockSuspended, "a machine was suspended, so that its clock stood still while devices went on"),
        (Throttled, "heat or the power brake slowed the device, or that could not be told"),
        (StartTemperature, "a repeat began above `--max-start-temperature`"),
        (CounterPowerMismatch, "counter and integrated power differ by more than 10 %, and not by their scope"),
        (RankMissing, "a rank's records are missing"),
        (Interrupted, "the run was ended before its time"),
    ];

    /// <summary>The codes of <see cref="Table"/>.</summary>
    public static readonly IReadOnlyList<string> All = [.. Table.Select(reason => reason.Code)];

    /// <summary>Each once, in the order of <see cref="All"/>.</summary>
    public static IReadOnlyList<string> Ordered(IEnumerable<string> reasons)
    {
        var set = reasons.ToHashSet();
        return set.Contains(NoMeter) ? [NoMeter] : [.. All.Where(set.Contains)];
    }

    /// <summary>As in the column <c>invalid_reasons</c>: joined by semicolons, empty when valid.</summary>
    public static string Join(IEnumerable<string> reasons) => string.Join(';', Ordered(reasons));
}
