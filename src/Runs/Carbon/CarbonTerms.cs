using System.Text.Json.Serialization;
using Harness.Runs.Accounting;
using Harness.Runs.Records;

namespace Harness.Runs.Carbon;

/// <summary>Measured joules of one hour, and what a kWh emitted in it; the hour is missing where one value held for all times.</summary>
public sealed record CarbonHour(
    [property: JsonPropertyName("hour_utc")] DateTimeOffset? HourUtc,
    [property: JsonPropertyName("energy_j")] double Joules,
    [property: JsonPropertyName("intensity_g_per_kwh")] double? GramsPerKilowattHour);

/// <summary>
/// Every term of the Software Carbon Intensity, SCI = (E·I + M) / R with M = TE · TS · RS (Green Software Foundation,
/// specification v1.1, ISO/IEC 21031:2024), as <c>carbon.json</c> holds them. E is the energy of the hardware that was
/// reserved, whether it computed or not; R is given for three functional units.
/// </summary>
public sealed record CarbonTerms
{
    public const double JoulesPerKilowattHour = 3.6e6;
    private const double SecondsPerYear = 365.25 * 86_400;

    [JsonPropertyName("formula")]
    public string Formula { get; init; } =
        "SCI = (E * I + M) / R; M = TE * TS * RS (Green Software Foundation, SCI v1.1)";

    /// <summary>The run's total_energy_j.</summary>
    [JsonPropertyName("energy_measured_j")] public required double MeasuredJoules { get; init; }

    /// <summary>Of what was reserved with it and read beside it: sockets and memory beside GPUs, or the rest of whole nodes.</summary>
    [JsonPropertyName("energy_reserved_beside_j")] public required double ReservedJoules { get; init; }

    [JsonPropertyName("pue")] public required double Pue { get; init; }

    /// <summary>E: both, times PUE.</summary>
    [JsonPropertyName("energy_j")] public double EnergyJoules => (MeasuredJoules + ReservedJoules) * Pue;

    [JsonPropertyName("hours")] public required IReadOnlyList<CarbonHour> Hours { get; init; }

    /// <summary>I: the mean over the hours, weighted with measured joules; missing where an hour's is not known.</summary>
    [JsonPropertyName("intensity_g_per_kwh")]
    public double? GramsPerKilowattHour => Hours.Any(hour => hour.GramsPerKilowattHour == null) || Hours.Count == 0 ? null
        : Hours.Sum(hour => hour.Joules) is > 0 and var joules ? Hours.Sum(hour => hour.Joules * hour.GramsPerKilowattHour) / joules
        : Hours[0].GramsPerKilowattHour;

    [JsonPropertyName("operational_g")] public double? OperationalGrams => EnergyJoules / JoulesPerKilowattHour * GramsPerKilowattHour;

    [JsonPropertyName("embodied_per_device_kg")] public required double EmbodiedKilograms { get; init; }
    [JsonPropertyName("devices")] public required int Devices { get; init; }

    /// <summary>TE.</summary>
    [JsonPropertyName("total_embodied_g")] public double TotalEmbodiedGrams => EmbodiedKilograms * 1000 * Devices;

    [JsonPropertyName("duration_s")] public required double DurationSeconds { get; init; }
    [JsonPropertyName("lifetime_years")] public required double LifetimeYears { get; init; }

    /// <summary>TS.</summary>
    [JsonPropertyName("time_share")] public double TimeShare => DurationSeconds / (LifetimeYears * SecondsPerYear);

    /// <summary>RS: devices are reserved whole.</summary>
    [JsonPropertyName("resource_share")] public double ResourceShare { get; init; } = 1;

    /// <summary>M.</summary>
    [JsonPropertyName("embodied_g")] public double EmbodiedGrams => TotalEmbodiedGrams * TimeShare * ResourceShare;

    [JsonPropertyName("responses")] public required int Responses { get; init; }
    [JsonPropertyName("output_tokens")] public required long OutputTokens { get; init; }
    [JsonPropertyName("correct_answers")] public required int CorrectAnswers { get; init; }
    [JsonPropertyName("sci_g_per_response")] public double? GramsPerResponse => Per(Responses);
    [JsonPropertyName("sci_g_per_output_token")] public double? GramsPerOutputToken => Per(OutputTokens);
    [JsonPropertyName("sci_g_per_correct_answer")] public double? GramsPerCorrectAnswer => Per(CorrectAnswers);

    /// <returns>Null where the run has no energy: then it has no carbon either.</returns>
    public static CarbonTerms? Of(CarbonInputs inputs, RunAccount account, SummaryRecord summary, IEnumerable<PromptRecord> rows)
    {
        if (summary.Energy.Total is not { } joules || CarbonEnergy.Reserved(account) is not { } reserved
            || CarbonEnergy.Hours(account, inputs) is not { } hours) return null;
        return new()
        {
            MeasuredJoules = joules,
            ReservedJoules = reserved,
            Pue = inputs.Pue,
            Hours = hours,
            EmbodiedKilograms = inputs.EmbodiedKilograms,
            Devices = account.Gpus > 0 ? account.Gpus : summary.Nodes ?? 1,
            DurationSeconds = account.DurationSeconds,
            LifetimeYears = inputs.LifetimeYears,
            Responses = summary.Completed ?? 0,
            OutputTokens = summary.TotalOutputTokens ?? 0,
            CorrectAnswers = rows.Count(row => row.Correct == true),
        };
    }

    /// <summary>The columns of the summary.</summary>
    public SummaryRecord AddTo(SummaryRecord summary) => GramsPerKilowattHour == null ? summary : summary with
    {
        Carbon = new()
        {
            EnergyJoules = EnergyJoules,
            IntensityGramsPerKilowattHour = GramsPerKilowattHour,
            EmbodiedGrams = EmbodiedGrams,
            GramsPerResponse = GramsPerResponse,
            GramsPerOutputToken = GramsPerOutputToken,
        },
    };

    private double? Per(double units) => units > 0 ? (OperationalGrams + EmbodiedGrams) / units : null;
}
