using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>
/// The measured joules of a run in its summary: of all devices, each once, over all measured repeats. What is not known is null, never 0.
/// </summary>
public sealed record RunJoules
{
    [Column("total_energy_j", "J", "measured, every device counted once, over the measured windows",
        "of what the backend computes on: GPUs, or sockets and their memory; where they are not read, of modules or nodes",
        Heading = "energy (J)")]
    public double? Total { get; init; }

    [Column("net_energy_j", "J", "`total_energy_j` without what the devices draw at rest",
        "of each window: joules − idle power × its seconds")]
    public double? Net { get; init; }

    [Column("idle_power_w", "W", "what the devices draw with the weights in memory and nothing computed", "window `idle`")]
    public double? IdleWatts { get; init; }

    [Column("avg_power_w", "W", "mean power of all devices together", "total_energy_j ÷ duration_s", Heading = "power (W)")]
    public double? AverageWatts { get; init; }

    [Column("energy_per_output_token_j", "J/token", "energy per output token, as in 'From Words to Watts'",
        "total_energy_j ÷ total_output_tokens", Heading = "J/token", Axis = "energy (J/token)")]
    public double? PerOutputToken { get; init; }

    [Column("energy_per_response_j", "J/response", "energy per response, as in 'From Words to Watts'", "total_energy_j ÷ completed",
        Heading = "J/response", Axis = "energy (J/response)")]
    public double? PerResponse { get; init; }

    [Column("prefill_energy_j", "J", "attributed to prompts in prefill", "Σ prefill_energy_j of prompts.csv")]
    public double? Prefill { get; init; }

    [Column("decode_energy_j", "J", "attributed to prompts in decode", "Σ decode_energy_j of prompts.csv")]
    public double? Decode { get; init; }

    [Column("unattributed_energy_j", "J", "measured, and no prompt's", "total_energy_j − Σ energy_j of prompts.csv")]
    public double? Unattributed { get; init; }

    [Column("counter_vs_power_ratio", "", "joules by counters ÷ joules by integrated power of the same scope: a cross-check, near 1",
        IsOfOneRun = true)]
    public double? CounterVsPowerRatio { get; init; }

    [Columns] public JoulesByScope Scopes { get; init; } = new();

    /// <summary>With what follows from these joules and what they were spent on.</summary>
    /// <param name="durationSeconds">Null where the measured repeats were not finished.</param>
    public RunJoules Per(double? durationSeconds, long outputTokens, int responses) => this with
    {
        AverageWatts = Ratio.Of(Total, durationSeconds),
        PerOutputToken = Ratio.Of(Total, outputTokens),
        PerResponse = Ratio.Of(Total, responses),
        Scopes = Scopes.Per(responses),
    };
}
