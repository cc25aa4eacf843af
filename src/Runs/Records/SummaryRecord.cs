using System.Text.Json.Serialization;

namespace Harness.Runs.Records;

/// <summary>
/// The row of <c>summary.csv</c>. Everything in it follows from the run's other files (<see cref="Summary"/>) or is copied from
/// its manifest. What is not known is null, and empty in the file.
/// </summary>
public sealed record SummaryRecord
{
    public const int CurrentSchema = 2;

    [JsonPropertyName("schema_version")] public int SchemaVersion { get; init; } = CurrentSchema;

    [JsonPropertyName("run_id")] public required string RunId { get; init; }

    /// <summary>One of <see cref="RunStatus"/>.</summary>
    [JsonPropertyName("status")] public required string Status { get; init; }

    [JsonPropertyName("timestamp_utc")] public string? TimestampUtc { get; init; }

    [JsonPropertyName("commit")] public string? Commit { get; init; }

    [JsonPropertyName("model")] public string? Model { get; init; }

    [JsonPropertyName("parameters_b")] public double? ParametersBillions { get; init; }

    [JsonPropertyName("dtype")] public string? Dtype { get; init; }

    [JsonPropertyName("backend")] public string? Backend { get; init; }

    [JsonPropertyName("gpu")] public string? Gpu { get; init; }

    [JsonPropertyName("num_gpus")] public int? NumGpus { get; init; }

    [JsonPropertyName("nodes")] public int? Nodes { get; init; }

    [JsonPropertyName("ranks")] public int? Ranks { get; init; }

    [JsonPropertyName("tensor_parallel")] public int? TensorParallel { get; init; }

    [JsonPropertyName("pipeline_parallel")] public int? PipelineParallel { get; init; }

    [JsonPropertyName("micro_batches")] public int? MicroBatches { get; init; }

    /// <summary>
    /// Sequences of a static batch, on each replica; missing under continuous batching, also in a file of older versions, which wrote a
    /// replica's slots here beside <see cref="Concurrency"/>.
    /// </summary>
    [JsonPropertyName("batch_size")] public int? BatchSize { get => Concurrency == null ? field : null; init; }

    [JsonPropertyName("schedule")] public string? Schedule { get; init; }

    [JsonPropertyName("max_new_tokens")] public int? MaxNewTokens { get; init; }

    [JsonPropertyName("dataset")] public string? Dataset { get; init; }

    [JsonPropertyName("task")] public string? Task { get; init; }

    /// <summary>Prompts in one repeat; completed and failed count those of all measured repeats.</summary>
    [JsonPropertyName("num_prompts")] public int? NumPrompts { get; init; }

    [JsonPropertyName("completed")] public int? Completed { get; init; }

    [JsonPropertyName("failed")] public int? Failed { get; init; }

    /// <summary>Sum of the measured repeats.</summary>
    [JsonPropertyName("duration_s")] public double? DurationSeconds { get; init; }

    /// <summary>Of completed prompts, like every figure of tokens, words and times below.</summary>
    [JsonPropertyName("total_input_tokens")] public long? TotalInputTokens { get; init; }

    [JsonPropertyName("total_output_tokens")] public long? TotalOutputTokens { get; init; }

    [JsonPropertyName("total_output_words")] public long? TotalOutputWords { get; init; }

    [JsonPropertyName("words_per_s")] public double? WordsPerSecond { get; init; }

    [JsonPropertyName("tokens_per_s")] public double? TokensPerSecond { get; init; }

    [JsonPropertyName("responses_per_s")] public double? ResponsesPerSecond { get; init; }

    [JsonPropertyName("ttft_mean_s")] public double? TtftMeanSeconds { get; init; }

    [JsonPropertyName("ttft_p50_s")] public double? TtftP50Seconds { get; init; }

    [JsonPropertyName("ttft_p90_s")] public double? TtftP90Seconds { get; init; }

    [JsonPropertyName("ttft_p99_s")] public double? TtftP99Seconds { get; init; }

    [JsonPropertyName("tpot_mean_s")] public double? TpotMeanSeconds { get; init; }

    [JsonPropertyName("tpot_p50_s")] public double? TpotP50Seconds { get; init; }

    [JsonPropertyName("tpot_p90_s")] public double? TpotP90Seconds { get; init; }

    [JsonPropertyName("tpot_p99_s")] public double? TpotP99Seconds { get; init; }

    [JsonPropertyName("latency_mean_s")] public double? LatencyMeanSeconds { get; init; }

    [JsonPropertyName("latency_p50_s")] public double? LatencyP50Seconds { get; init; }

    [JsonPropertyName("latency_p90_s")] public double? LatencyP90Seconds { get; init; }

    [JsonPropertyName("latency_p99_s")] public double? LatencyP99Seconds { get; init; }

    /// <summary>Measured, every device counted once.</summary>
    [JsonPropertyName("total_energy_j")] public double? TotalEnergyJoules { get; init; }

    [JsonPropertyName("net_energy_j")] public double? NetEnergyJoules { get; init; }

    [JsonPropertyName("idle_power_w")] public double? IdlePowerWatts { get; init; }

    [JsonPropertyName("avg_power_w")] public double? AvgPowerWatts { get; init; }

    [JsonPropertyName("energy_per_output_token_j")] public double? EnergyPerOutputTokenJoules { get; init; }

    [JsonPropertyName("energy_per_response_j")] public double? EnergyPerResponseJoules { get; init; }

    [JsonPropertyName("prefill_energy_j")] public double? PrefillEnergyJoules { get; init; }

    [JsonPropertyName("decode_energy_j")] public double? DecodeEnergyJoules { get; init; }

    /// <summary>Measured, and no prompt's.</summary>
    [JsonPropertyName("unattributed_energy_j")] public double? UnattributedEnergyJoules { get; init; }

    [JsonPropertyName("counter_vs_power_ratio")] public double? CounterVsPowerRatio { get; init; }

    /// <summary>Correct responses ÷ judged responses.</summary>
    [JsonPropertyName("accuracy")] public double? Accuracy { get; init; }

    [JsonPropertyName("energy_per_correct_j")] public double? EnergyPerCorrectJoules { get; init; }

    [JsonPropertyName("energy_source")] public string? EnergySource { get; init; }

    /// <summary>Of the energy alone; false unless everything was checked.</summary>
    [JsonPropertyName("valid")] public bool Valid { get; init; }

    /// <summary>Stable codes joined by a semicolon.</summary>
    [JsonPropertyName("invalid_reasons")] public string? InvalidReasons { get; init; }

    /// <summary>Of a sweep's cell; missing where the devices were left as they were.</summary>
    [JsonPropertyName("power_limit_w")] public double? PowerLimitWatts { get; init; }

    /// <summary>Of a sweep's cell; missing where the devices were left as they were.</summary>
    [JsonPropertyName("sm_clock_mhz")] public int? SmClockMhz { get; init; }

    /// <summary>Rank 0's node times the number of nodes, by integrated power: the method of 'From Words to Watts', beside ours.</summary>
    [JsonPropertyName("paper_energy_j")] public double? PaperEnergyJoules { get; init; }

    /// <summary>Requests in flight at most, over all replicas, under continuous batching.</summary>
    [JsonPropertyName("concurrency")] public int? Concurrency { get; init; }

    /// <summary>Mean arrivals per second; missing in a closed loop.</summary>
    [JsonPropertyName("request_rate_per_s")] public double? RequestRatePerSecond { get; init; }

    /// <summary>Prompt tokens that every prompt was brought to; missing where they were left as they are.</summary>
    [JsonPropertyName("fixed_input_tokens")] public int? FixedInputTokens { get; init; }

    /// <summary>The steady state (ML.ENERGY): while the slots of every replica were full. Seconds over all measured repeats.</summary>
    [JsonPropertyName("steady_duration_s")] public double? SteadyDurationSeconds { get; init; }

    [JsonPropertyName("steady_output_tokens")] public long? SteadyOutputTokens { get; init; }

    [JsonPropertyName("steady_tokens_per_s")] public double? SteadyTokensPerSecond { get; init; }

    [JsonPropertyName("steady_energy_j")] public double? SteadyEnergyJoules { get; init; }

    [JsonPropertyName("steady_avg_power_w")] public double? SteadyAvgPowerWatts { get; init; }

    [JsonPropertyName("steady_energy_per_output_token_j")] public double? SteadyEnergyPerOutputTokenJoules { get; init; }

    /// <summary>Lower end of the 95 % interval of <c>accuracy</c> (Wilson).</summary>
    [JsonPropertyName("accuracy_low")] public double? AccuracyLow { get; init; }

    [JsonPropertyName("accuracy_high")] public double? AccuracyHigh { get; init; }

    /// <summary>E of the SCI: measured joules, reserved hardware and PUE included.</summary>
    [JsonPropertyName("sci_energy_j")] public double? SciEnergyJoules { get; init; }

    /// <summary>I of the SCI.</summary>
    [JsonPropertyName("sci_intensity_g_per_kwh")] public double? SciIntensityGramsPerKilowattHour { get; init; }

    /// <summary>M of the SCI.</summary>
    [JsonPropertyName("sci_embodied_g")] public double? SciEmbodiedGrams { get; init; }

    /// <summary>(E·I + M) / R with R = completed responses.</summary>
    [JsonPropertyName("sci_g_per_response")] public double? SciGramsPerResponse { get; init; }

    /// <summary>(E·I + M) / R with R = output tokens.</summary>
    [JsonPropertyName("sci_g_per_output_token")] public double? SciGramsPerOutputToken { get; init; }

    /// <summary>Starts that it took: 1, or more where a run was cut off and continued.</summary>
    [JsonPropertyName("pieces")] public int? Pieces { get; init; }
}
