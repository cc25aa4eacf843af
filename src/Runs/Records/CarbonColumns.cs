using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>The Software Carbon Intensity of a run, SCI = (E·I + M) / R; missing without carbon figures.</summary>
public sealed record CarbonColumns
{
    [Column("sci_energy_j", "J", "E: measured joules, with what was reserved and read beside, times PUE", "carbon.json")]
    public double? EnergyJoules { get; init; }

    [Column("sci_intensity_g_per_kwh", "g CO2e/kWh", "I: of the grid, weighted with the joules of each hour", "carbon.json")]
    public double? IntensityGramsPerKilowattHour { get; init; }

    [Column("sci_embodied_g", "g CO2e", "M: the run's share of the devices' embodied emissions", "carbon.json")]
    public double? EmbodiedGrams { get; init; }

    [Column("sci_g_per_response", "g CO2e", "SCI with R = completed responses",
        "(sci_energy_j ÷ 3.6e6 × sci_intensity_g_per_kwh + sci_embodied_g) ÷ completed")]
    public double? GramsPerResponse { get; init; }

    [Column("sci_g_per_output_token", "g CO2e", "SCI with R = output tokens",
        "(sci_energy_j ÷ 3.6e6 × sci_intensity_g_per_kwh + sci_embodied_g) ÷ total_output_tokens")]
    public double? GramsPerOutputToken { get; init; }
}
