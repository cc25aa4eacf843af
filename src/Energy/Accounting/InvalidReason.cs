namespace Harness.Energy.Accounting;

/// <summary>
/// The stable codes of <c>invalid_reasons</c>. A figure is valid when it has none; what could not be checked counts as
/// failed. They speak of energy alone.
/// </summary>
public static class InvalidReason
{
    /// <summary>Nothing was measured at all; always the only reason.</summary>
    public const string NoMeter = "no_meter";
    /// <summary>A domain stopped giving what it gave at first, or its readings do not reach the window's edges.</summary>
    public const string MeterLost = "meter_lost";
    /// <summary>A cumulative counter fell within the window: it was reset.</summary>
    public const string CounterDecreased = "counter_decreased";
    /// <summary>Counter or sensor showed a power that no such device has, or a negative one.</summary>
    public const string PowerImplausible = "power_implausible";
    /// <summary>Two samples within the window lie too far apart.</summary>
    public const string SampleGap = "sample_gap";
    /// <summary>The window holds too few updates of the sensor, or the sensor's update period could not be found out.</summary>
    public const string WindowTooShort = "window_too_short";
    /// <summary>
    /// A process of someone else computed on the device, or on the machine of sockets and whole nodes, or that could not be told.
    /// </summary>
    public const string DeviceShared = "device_shared";
    /// <summary>The device is in MIG mode, or its mode could not be read.</summary>
    public const string Mig = "mig";
    /// <summary>A device that a rank computed on was not measured, or only a part of it.</summary>
    public const string DeviceMissing = "device_missing";
    /// <summary>A node's clock is not known well enough against rank 0's.</summary>
    public const string ClockOffset = "clock_offset";
    /// <summary>Heat or the power brake slowed the device, or its throttle reasons could not be read.</summary>
    public const string Throttled = "throttled";
    /// <summary>The run started warmer than was asked for, or the temperature could not be read.</summary>
    public const string StartTemperature = "start_temperature";
    /// <summary>Counter and integrated power disagree, or one of the two that the device has was not usable.</summary>
    public const string CounterPowerMismatch = "counter_power_mismatch";
    /// <summary>The records of a rank are missing.</summary>
    public const string RankMissing = "rank_missing";
    /// <summary>The run was ended before its time.</summary>
    public const string Interrupted = "interrupted";

    /// <summary>All of them, in the order in which they are written.</summary>
    public static readonly IReadOnlyList<string> All =
    [
        NoMeter, MeterLost, CounterDecreased, PowerImplausible, SampleGap, WindowTooShort, DeviceShared, Mig, DeviceMissing,
        ClockOffset, Throttled, StartTemperature, CounterPowerMismatch, RankMissing, Interrupted,
    ];

    /// <summary>Each once, in the order of <see cref="All"/>.</summary>
    public static IReadOnlyList<string> Ordered(IEnumerable<string> reasons)
    {
        var set = reasons.ToHashSet();
        return set.Contains(NoMeter) ? [NoMeter] : [.. All.Where(set.Contains)];
    }

    /// <summary>As in the column <c>invalid_reasons</c>: joined by semicolons, empty when valid.</summary>
    public static string Join(IEnumerable<string> reasons) => string.Join(';', Ordered(reasons));
}
