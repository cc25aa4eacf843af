using System.Text.Json.Serialization;

namespace Harness.Energy.Control;

/// <summary>How warm the devices were when a measurement began.</summary>
/// <param name="Celsius">The warmest device's; null when none shows a temperature.</param>
/// <param name="WaitedSeconds">Time spent cooling down.</param>
/// <param name="Reached">The limit was reached in time; true as well when there is no limit.</param>
public sealed record StartTemperature(
    [property: JsonPropertyName("temperature_c")] int? Celsius,
    [property: JsonPropertyName("waited_s")] double WaitedSeconds,
    [property: JsonPropertyName("reached")] bool Reached);

/// <summary>Waits for devices to cool, so that repeats start alike: a warm GPU leaks more and clocks lower.</summary>
public static class Heat
{
    private const double PauseSeconds = 0.5;
    private const double FirstTemperatureSeconds = 2.5;   // meters show temperatures about once a second

    /// <summary>
    /// Waits until the warmest device is at or below <paramref name="maxCelsius"/> (null: does not wait), at most
    /// <paramref name="limitSeconds"/>. With no temperature at all the limit counts as not reached, since it cannot be
    /// checked.
    /// </summary>
    /// <param name="warmestCelsius">The warmest device now, e.g. <c>() => sampler.WarmestCelsius</c>; null while unknown.</param>
    public static StartTemperature WaitBelow(Func<int?> warmestCelsius, IRunClock clock, double? maxCelsius, double limitSeconds)
    {
        var start = clock.Seconds;
        while (true)
        {
            var warmest = warmestCelsius();
            var waited = clock.Seconds - start;
            if (maxCelsius is null || warmest <= maxCelsius) return new StartTemperature(warmest, waited, true);
            if (waited >= (warmest is null ? Math.Min(limitSeconds, FirstTemperatureSeconds) : limitSeconds))
                return new StartTemperature(warmest, waited, false);
            clock.Wait(clock.Seconds + PauseSeconds, null);
        }
    }
}
