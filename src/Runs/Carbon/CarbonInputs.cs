namespace Harness.Runs.Carbon;

/// <summary>What a user must say for a run to have an SCI.</summary>
/// <param name="IntensityAt">Grams per kWh at a time; null where that is not known.</param>
/// <param name="IsHourly">Joules are to be told apart by the hour.</param>
public sealed record CarbonInputs(Func<DateTimeOffset, double?> IntensityAt, bool IsHourly, double Pue, double EmbodiedKilograms,
    double LifetimeYears)
{
    /// <exception cref="UserErrorException">A file of hourly values does not cover <paramref name="now"/>.</exception>
    public static CarbonInputs From(CarbonIntensity intensity, double pue, double embodiedKilograms, double lifetimeYears,
        DateTimeOffset now)
    {
        intensity.MustCover(now);
        return new(intensity.At, intensity.IsHourly, pue, embodiedKilograms, lifetimeYears);
    }

    /// <summary>Those that terms were computed with, so that they can be computed again without the file of hours.</summary>
    public static CarbonInputs Of(CarbonTerms terms)
    {
        var hourly = terms.Hours.Any(hour => hour.HourUtc != null);
        return new(
            time => hourly ? terms.Hours.FirstOrDefault(hour => hour.HourUtc == CarbonIntensity.Hour(time))?.GramsPerKilowattHour
                : terms.Hours[0].GramsPerKilowattHour,
            hourly, terms.Pue, terms.EmbodiedKilograms, terms.LifetimeYears);
    }
}
