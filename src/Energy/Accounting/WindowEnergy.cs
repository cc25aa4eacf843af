using System.Text.Json.Serialization;

namespace Harness.Energy.Accounting;

/// <summary>What one domain did in one window. Absent is what was not measured.</summary>
public sealed record DomainEnergy
{
    [JsonPropertyName("host")] public required string Host { get; init; }
    [JsonPropertyName("device")] public required string Device { get; init; }
    [JsonPropertyName("kind")] public required DomainKind Kind { get; init; }
    [JsonPropertyName("duration_s")] public required double DurationSeconds { get; init; }

    /// <summary>Gross joules: the counter's where it has them, else integrated power.</summary>
    [JsonPropertyName("energy_j")] public double? Joules => CounterJoules ?? PowerJoules;

    /// <summary>Where <see cref="Joules"/> comes from, e.g. <c>nvml_counter</c>, <c>nvml_power_average_1s</c>.</summary>
    [JsonPropertyName("energy_source")] public string? Source { get; init; }

    /// <summary>What <see cref="Joules"/> cover; the kind of the domain says it, and of a superchip's GPU the source.</summary>
    [JsonIgnore]
    public EnergyScope Scope =>
        Kind == DomainKind.Gpu && Superchip.IsModuleSource(Source) ? EnergyScope.Module : EnergyScopes.Of(Kind);

    [JsonPropertyName("counter_j")] public double? CounterJoules { get; init; }

    /// <summary>Integrated power of what the counter covers; absent where no such power is shown.</summary>
    [JsonPropertyName("power_integral_j")] public double? PowerJoules { get; init; }

    /// <summary>Integrated power of a superchip's GPU alone, beside joules of its module.</summary>
    [JsonPropertyName("gpu_power_integral_j")] public double? GpuPowerJoules { get; init; }
    [JsonPropertyName("counter_vs_power_ratio")] public double? CounterPowerRatio => PowerJoules > 0 ? CounterJoules / PowerJoules : null;
    [JsonPropertyName("average_power_w")] public double? AverageWatts => DurationSeconds > 0 ? Joules / DurationSeconds : null;

    [JsonPropertyName("samples")] public int Samples { get; init; }
    [JsonPropertyName("longest_gap_s")] public double? LongestGapSeconds { get; init; }
    [JsonPropertyName("start_temperature_c")] public int? StartTemperatureCelsius { get; init; }
    [JsonPropertyName("max_temperature_c")] public int? MaxTemperatureCelsius { get; init; }
    [JsonPropertyName("mean_sm_clock_mhz")] public double? MeanSmClockMhz { get; init; }
    [JsonPropertyName("max_memory_used_bytes")] public long? MaxMemoryUsedBytes { get; init; }
    [JsonPropertyName("power_limit_w")] public double? PowerLimitWatts { get; init; }

    /// <summary>
    /// Processor time that others used on the machine, in s; absent where it was not measured, and where it does not matter.
    /// </summary>
    [JsonPropertyName("others_processor_s")] public double? OthersProcessorSeconds { get; init; }

    /// <summary>All reasons seen in the window, or-ed.</summary>
    [JsonPropertyName("throttle_reasons")] public ulong? ThrottleReasons { get; init; }

    /// <summary>Codes of <see cref="InvalidReason"/> that this domain's own readings give rise to.</summary>
    [JsonPropertyName("invalid_reasons")] public required IReadOnlyList<string> InvalidReasons { get; init; }

    [JsonIgnore] public string Key => $"{Host}/{Device}";

    /// <inheritdoc cref="EnergyDomain.Module"/>
    [JsonIgnore] public string? Module { get; init; }
}

/// <summary>All devices in one window: the joules of the counted ones added up, and every one beside them.</summary>
public sealed record WindowEnergy
{
    public required EnergyWindow Window { get; init; }

    /// <summary>Every domain, counted or not.</summary>
    public required IReadOnlyList<DomainEnergy> Devices { get; init; }

    /// <summary>Each thing once, counted or not: of several meters that read the same of a host those of the first.</summary>
    public required IReadOnlyList<DomainEnergy> Speaking { get; init; }

    /// <summary>The domains that <see cref="Joules"/> adds up.</summary>
    public required IReadOnlyList<DomainEnergy> Counted { get; init; }

    /// <summary>What the counted domains cover; several joined by a plus; absent with no energy.</summary>
    public string? Scope => Source == null ? null : EnergyScopes.Join(Counted.Select(device => device.Scope));

    /// <summary>
    /// Joules of all that was read of one scope, counted or not; null where there is none, or a part has no joules. Those of a superchip's
    /// GPU are its own power's where the module's are counted.
    /// </summary>
    public double? JoulesOf(EnergyScope scope) => EnergyAccount.Sum(scope == EnergyScope.Gpu
        ? Speaking.Where(device => device.Kind == DomainKind.Gpu && (device.Scope == scope || device.GpuPowerJoules != null))
            .Select(device => device.Scope == scope ? device.Joules : device.GpuPowerJoules)
        : OfScope(scope).Select(device => device.Joules));

    /// <summary>
    /// What stands for one scope. A module that its GPU's counter covers needs no sensor of the board, and stands there once, however many
    /// GPUs are part of it.
    /// </summary>
    public IEnumerable<DomainEnergy> OfScope(EnergyScope scope) => Speaking.Where(device => device.Scope == scope).GroupBy(device =>
        device.Host).SelectMany(host => host.GroupBy(device => device.Kind).First())
        .DistinctBy(device => scope == EnergyScope.Module && device.Module != null ? $"{device.Host}/{device.Module}" : device.Key);

    /// <summary>Gross; absent unless every counted device has its joules.</summary>
    public double? Joules { get; init; }

    /// <summary>Gross minus idle; absent unless every counted device has a baseline.</summary>
    public double? NetJoules { get; init; }

    /// <summary>Idle watts of all counted devices together.</summary>
    public double? IdleWatts { get; init; }

    /// <summary>Σ counter ÷ Σ integrated power over the counted devices; absent unless all have both.</summary>
    public double? CounterPowerRatio { get; init; }

    /// <summary>The counted devices' sources, e.g. <c>nvml_counter</c>; several are joined by a plus; absent with no energy.</summary>
    public string? Source { get; init; }

    /// <summary>What the readings of the counted devices alone give rise to; <see cref="Validity.Judge"/> adds the rest.</summary>
    public required IReadOnlyList<string> InvalidReasons { get; init; }

    public double? AverageWatts => Window.DurationSeconds > 0 ? Joules / Window.DurationSeconds : null;
}
