using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>
/// The steady state of continuous batching (ML.ENERGY): while the slots of every replica were full, over all measured repeats.
/// </summary>
public sealed record SteadyColumns
{
    [Column("steady_duration_s", "s", "how long the slots of every replica were full; empty where there was no such time")]
    public double? DurationSeconds { get; init; }

    [Column("steady_output_tokens", "tokens", "tokens that became known in the steady state")]
    public long? OutputTokens { get; init; }

    [Column("steady_tokens_per_s", "tokens/s", "throughput of the steady state", "steady_output_tokens ÷ steady_duration_s")]
    public double? TokensPerSecond { get; init; }

    [Column("steady_energy_j", "J", "measured in the steady state; empty where it is shorter than the sensors resolve")]
    public double? Joules { get; init; }

    [Column("steady_avg_power_w", "W", "mean power in the steady state", "steady_energy_j ÷ steady_duration_s")]
    public double? AverageWatts { get; init; }

    [Column("steady_energy_per_output_token_j", "J/token", "energy per output token of the steady state",
        "steady_energy_j ÷ steady_output_tokens")]
    public double? PerOutputToken { get; init; }
}
