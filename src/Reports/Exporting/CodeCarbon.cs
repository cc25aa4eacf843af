using System.Globalization;
using System.Text.Json.Serialization;
using Harness.Common;
using Harness.Energy;
using Harness.Runs.Carbon;
using Harness.Runs.Records;

namespace Harness.Reports.Exporting;

/// <summary>
/// The columns of CodeCarbon's <c>emissions.csv</c> (github.com/mlco2/codecarbon, class EmissionsData): kWh, kg CO2e, watts,
/// seconds. Emissions are E·I of the run's SCI, without what is embodied in the hardware, as there.
/// </summary>
public sealed class CodeCarbon : IExportFormat
{
    public string Name => "codecarbon";
    public bool HasValidity => false;

    public void Write(IReadOnlyList<object> entries, Stream output) => CsvRows.WriteTable(output, entries.Cast<Row>());

    public object Of(ExportedRun run)
    {
        var s = run.Summary;
        var (gpu, cpu, ram) = (run.Joules(EnergyScope.Gpu), run.Joules(EnergyScope.Cpu), run.Joules(EnergyScope.Memory));
        var kilograms = s.Carbon.EnergyJoules / CarbonTerms.JoulesPerKilowattHour * s.Carbon.IntensityGramsPerKilowattHour / 1000;
        return new Row
        {
            Timestamp = s.TimestampUtc,
            ProjectName = s.Model,
            RunId = s.RunId,
            ExperimentId = Path.GetFileName(Path.TrimEndingDirectorySeparator(run.Directory)),
            Duration = s.DurationSeconds,
            Emissions = kilograms,
            EmissionsRate = kilograms / s.DurationSeconds,
            CpuPower = cpu / s.DurationSeconds,
            GpuPower = gpu / s.DurationSeconds,
            RamPower = ram / s.DurationSeconds,
            CpuEnergy = cpu / CarbonTerms.JoulesPerKilowattHour,
            GpuEnergy = gpu / CarbonTerms.JoulesPerKilowattHour,
            RamEnergy = ram / CarbonTerms.JoulesPerKilowattHour,
            EnergyConsumed = (s.Carbon.EnergyJoules ?? s.Energy.Total) / CarbonTerms.JoulesPerKilowattHour,
            GpuCount = s.NumGpus,
            GpuModel = s.NumGpus > 0 ? s.Gpu : null,
            CpuModel = s.NumGpus > 0 ? null : s.Gpu,
            Pue = s.Carbon.EnergyJoules != null && double.TryParse(run.Setting("Carbon:Pue"), CultureInfo.InvariantCulture, out var pue)
                ? pue : null,
        };
    }

    internal sealed record Row
    {
        [JsonPropertyName("timestamp")] public string? Timestamp { get; init; }
        [JsonPropertyName("project_name")] public string? ProjectName { get; init; }
        [JsonPropertyName("run_id")] public string? RunId { get; init; }
        [JsonPropertyName("experiment_id")] public string? ExperimentId { get; init; }
        [JsonPropertyName("duration")] public double? Duration { get; init; }
        [JsonPropertyName("emissions")] public double? Emissions { get; init; }
        [JsonPropertyName("emissions_rate")] public double? EmissionsRate { get; init; }
        [JsonPropertyName("cpu_power")] public double? CpuPower { get; init; }
        [JsonPropertyName("gpu_power")] public double? GpuPower { get; init; }
        [JsonPropertyName("ram_power")] public double? RamPower { get; init; }
        [JsonPropertyName("cpu_energy")] public double? CpuEnergy { get; init; }
        [JsonPropertyName("gpu_energy")] public double? GpuEnergy { get; init; }
        [JsonPropertyName("ram_energy")] public double? RamEnergy { get; init; }
        [JsonPropertyName("energy_consumed")] public double? EnergyConsumed { get; init; }

        // From here on what CodeCarbon asks of the machine and its surroundings, of which a run knows little.
        [JsonPropertyName("water_consumed")] public double? WaterConsumed { get; init; }
        [JsonPropertyName("country_name")] public string? CountryName { get; init; }
        [JsonPropertyName("country_iso_code")] public string? CountryIsoCode { get; init; }
        [JsonPropertyName("region")] public string? Region { get; init; }
        [JsonPropertyName("cloud_provider")] public string? CloudProvider { get; init; }
        [JsonPropertyName("cloud_region")] public string? CloudRegion { get; init; }
        [JsonPropertyName("os")] public string? OperatingSystem { get; init; }
        [JsonPropertyName("python_version")] public string? PythonVersion { get; init; }
        [JsonPropertyName("codecarbon_version")] public string? CodeCarbonVersion { get; init; }
        [JsonPropertyName("cpu_count")] public int? CpuCount { get; init; }
        [JsonPropertyName("cpu_model")] public string? CpuModel { get; init; }
        [JsonPropertyName("gpu_count")] public int? GpuCount { get; init; }
        [JsonPropertyName("gpu_model")] public string? GpuModel { get; init; }
        [JsonPropertyName("longitude")] public double? Longitude { get; init; }
        [JsonPropertyName("latitude")] public double? Latitude { get; init; }
        [JsonPropertyName("ram_total_size")] public double? RamTotalSize { get; init; }
        [JsonPropertyName("tracking_mode")] public string TrackingMode { get; init; } = "machine";
        [JsonPropertyName("on_cloud")] public string? OnCloud { get; init; }
        [JsonPropertyName("pue")] public double? Pue { get; init; }
    }
}
