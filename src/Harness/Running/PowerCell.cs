using System.Globalization;
using Harness.Common;
using Harness.Configuration;
using Harness.Energy.Control;

namespace Harness.Running;

/// <summary>One setting of power limit and SM clock; null leaves the device as it is.</summary>
internal sealed record PowerCell(double? LimitWatts, int? SmClockMhz)
{
    public bool ChangesNothing => LimitWatts == null && SmClockMhz == null;

    /// <summary>Appended to the run's name, so that cells of one sweep can be told apart: -250W-1200MHz.</summary>
    public string Suffix => string.Create(CultureInfo.InvariantCulture,
        $"{(LimitWatts is { } watts ? $"-{watts}W" : "")}{(SmClockMhz is { } mhz ? $"-{mhz}MHz" : "")}");

    /// <summary>Every combination of the lists in the options; one cell that changes nothing where they are empty.</summary>
    public static IReadOnlyList<PowerCell> Of(EnergyOptions options) =>
        [.. from limit in OrNone(options.PowerLimits)
            from clock in OrNone(options.SmClocks)
            select new PowerCell(limit, clock)];

    /// <exception cref="UserErrorException">Another run has a device, or what it was like cannot be known or written down.</exception>
    public ControlResult Apply(PowerControl control)
    {
        var power = LimitWatts is { } watts ? control.SetPowerLimit(watts) : new(ControlOutcome.Applied);
        return power.Outcome == ControlOutcome.Applied && SmClockMhz is { } mhz ? control.LockSmClock(mhz) : power;
    }

    private static IEnumerable<T?> OrNone<T>(IReadOnlyList<T> values) where T : struct => values.Count == 0 ? [null] : values.Cast<T?>();
}
