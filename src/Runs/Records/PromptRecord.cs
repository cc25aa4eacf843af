using System.Text.Json.Serialization;

namespace Harness.Runs.Records;

/// <summary>One row of <c>prompts.csv</c>: one prompt in one measured repeat. What is not known is null, and empty in the file.</summary>
public sealed record PromptRecord
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }

    [JsonPropertyName("repeat")] public required int Repeat { get; init; }

    [JsonPropertyName("dataset")] public required string Dataset { get; init; }

    /// <summary>Position of the prompt in its dataset, whatever subset was drawn.</summary>
    [JsonPropertyName("prompt_index")] public required int PromptIndex { get; init; }

    /// <summary>Missing for a prompt that did not fit the context.</summary>
    [JsonPropertyName("batch_index")] public int? BatchIndex { get; init; }

    [JsonPropertyName("input_tokens")] public int InputTokens { get; init; }

    [JsonPropertyName("output_tokens")] public int OutputTokens { get; init; }

    /// <summary>See <see cref="Words"/>.</summary>
    [JsonPropertyName("output_words")] public int OutputWords { get; init; }

    /// <summary>One of <see cref="Records.FinishReason"/>.</summary>
    [JsonPropertyName("finish_reason")] public required string FinishReason { get; init; }

    [JsonPropertyName("ttft_s")] public double? TtftSeconds { get; init; }

    /// <summary>(latency − time to first token) / (output tokens − 1); missing for one token.</summary>
    [JsonPropertyName("tpot_s")] public double? TpotSeconds { get; init; }

    /// <summary>End to end.</summary>
    [JsonPropertyName("latency_s")] public double? LatencySeconds { get; init; }

    /// <summary>Attributed, not measured: the prompt's share of the steps that it took part in.</summary>
    [JsonPropertyName("energy_j")] public double? EnergyJoules { get; init; }

    [JsonPropertyName("prefill_energy_j")] public double? PrefillEnergyJoules { get; init; }

    [JsonPropertyName("decode_energy_j")] public double? DecodeEnergyJoules { get; init; }

    /// <summary>Attributed, less the idle baseline.</summary>
    [JsonPropertyName("net_energy_j")] public double? NetEnergyJoules { get; init; }

    [JsonPropertyName("energy_source")] public string? EnergySource { get; init; }

    /// <summary>Whether the answer is right; missing where nothing can be judged.</summary>
    [JsonPropertyName("correct")] public bool? Correct { get; init; }

    /// <summary>Of the energy alone; false unless everything was checked.</summary>
    [JsonPropertyName("valid")] public bool Valid { get; init; }

    /// <summary>Stable codes joined by a semicolon.</summary>
    [JsonPropertyName("invalid_reasons")] public string? InvalidReasons { get; init; }

    /// <summary>The data set's own, where it has one.</summary>
    [JsonPropertyName("category")] public string? Category { get; init; }

    /// <summary>When the prompt's clock began, on the run's clock of its piece: its batch's start, or its arrival under continuous batching.</summary>
    [JsonPropertyName("start_s")] public double? StartSeconds { get; init; }

    /// <summary>From its arrival until a slot was free; missing in static batches, where all begin together.</summary>
    [JsonPropertyName("queue_s")] public double? QueueSeconds { get; init; }

    /// <summary>Of the run: 1, or more where it was cut off and continued.</summary>
    [JsonPropertyName("piece")] public int Piece { get; init; } = 1;
}
