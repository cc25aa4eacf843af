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

    [JsonPropertyName("counter_j")] public double? CounterJoules { get; init; }
    [JsonPropertyName("power_integral_j")] public double? PowerJoules { get; init; }
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
}

/// <summary>All devices in one window: the joules of the counted ones added up, and every one beside them.</summary>
public sealed record WindowEnergy
{
    public required EnergyWindow Window { get; init; }

    /// <summary>Every domain, counted or not.</summary>
    public required IReadOnlyList<DomainEnergy> Devices { get; init; }

    /// <summary>The domains that <see cref="Joules"/> adds up.</summary>
    public required IReadOnlyList<DomainEnergy> Counted { get; init; }

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
