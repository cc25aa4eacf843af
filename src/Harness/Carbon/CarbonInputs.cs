using Harness.Configuration;

namespace Harness.Carbon;

/// <summary>What a user must say for a run to have an SCI.</summary>
/// <param name="IntensityAt">Grams per kWh at a time; null where that is not known.</param>
/// <param name="IsHourly">Joules are to be told apart by the hour.</param>
internal sealed record CarbonInputs(Func<DateTimeOffset, double?> IntensityAt, bool IsHourly, double Pue, double EmbodiedKilograms, double LifetimeYears)
{
    /// <returns>Null where nothing is asked for.</returns>
    /// <exception cref="Tensors.UserErrorException">A file of hourly values is damaged or does not cover <paramref name="now"/>.</exception>
    public static CarbonInputs? Of(CarbonOptions options, DateTimeOffset now)
    {
        if (options.Intensity.Length == 0) return null;
        var intensity = CarbonIntensity.Parse(options.Intensity);
        intensity.MustCover(now);
        return new(intensity.At, intensity.IsHourly, options.Pue, options.Embodied, options.Lifetime);
    }

    /// <summary>Those that terms were computed with, so that they can be computed again without the file of hours.</summary>
    public static CarbonInputs Of(CarbonTerms terms)
    {
        var hourly = terms.Hours.Any(hour => hour.HourUtc != null);
        return new(
            time => hourly ? terms.Hours.FirstOrDefault(hour => hour.HourUtc == CarbonIntensity.Hour(time))?.GramsPerKilowattHour : terms.Hours[0].GramsPerKilowattHour,
            hourly, terms.Pue, terms.EmbodiedKilograms, terms.LifetimeYears);
    }
}
