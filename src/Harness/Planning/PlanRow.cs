using System.Text.Json.Serialization;

namespace Harness.Planning;

/// <summary>
/// One layout as <c>harness plan</c> writes it. Bytes are those of the rank that needs most, and are missing where the
/// model cannot be split so; predictions are missing where it does not fit or the device's rates are not known.
/// </summary>
public sealed record PlanRow
{
    [JsonPropertyName("model")] public required string Model { get; init; }

    /// <summary>Tensor-parallel degree × pipeline stages: the devices of one copy of the model.</summary>
    [JsonPropertyName("gpus")] public required int Gpus { get; init; }
    [JsonPropertyName("tensor_parallel")] public required int TensorParallel { get; init; }
    [JsonPropertyName("pipeline_parallel")] public required int PipelineParallel { get; init; }
    [JsonPropertyName("micro_batches")] public required int MicroBatches { get; init; }
    [JsonPropertyName("batch_size")] public required int BatchSize { get; init; }
    [JsonPropertyName("max_length")] public required int MaxLength { get; init; }
    [JsonPropertyName("dtype")] public required string Dtype { get; init; }
    [JsonPropertyName("kv_dtype")] public required string KvDtype { get; init; }
    [JsonPropertyName("fits")] public required bool Fits { get; init; }
    [JsonPropertyName("weight_bytes")] public long? WeightBytes { get; init; }
    [JsonPropertyName("kv_cache_bytes")] public long? KvCacheBytes { get; init; }
    [JsonPropertyName("activation_bytes")] public long? ActivationBytes { get; init; }

    /// <summary>Kept free for the driver, its context, libraries and fragmentation.</summary>
    [JsonPropertyName("reserve_bytes")] public long? ReserveBytes { get; init; }

    /// <summary>Weights, cache, activations and reserve: what must not exceed the device's memory.</summary>
    [JsonPropertyName("total_bytes")] public long? TotalBytes { get; init; }
    [JsonPropertyName("memory_bytes")] public required long MemoryBytes { get; init; }

    /// <summary>Per token and rank of the busiest stage: all-reduces within the tensor group.</summary>
    [JsonPropertyName("tensor_bytes_per_token")] public long? TensorBytesPerToken { get; init; }

    /// <summary>Per token and rank of the last stage: the exchange before sampling.</summary>
    [JsonPropertyName("head_bytes_per_token")] public long? HeadBytesPerToken { get; init; }

    /// <summary>Per token, from each rank to its peer on the next stage.</summary>
    [JsonPropertyName("pipeline_bytes_per_token")] public long? PipelineBytesPerToken { get; init; }
    [JsonPropertyName("decode_tokens_per_s")] public double? DecodeTokensPerSecond { get; init; }
    [JsonPropertyName("decode_bound")] public string? DecodeBound { get; init; }
    [JsonPropertyName("prefill_tokens_per_s")] public double? PrefillTokensPerSecond { get; init; }
    [JsonPropertyName("prefill_bound")] public string? PrefillBound { get; init; }

    /// <summary>
    /// Seconds of all devices together for one token of decode, by what they do: the three add up to devices ÷ tokens per second, and times
    /// a device's watts they are joules per token. Of prefill likewise.
    /// </summary>
    [JsonPropertyName("decode_s")] public double? DecodeSeconds { get; init; }
    [JsonPropertyName("decode_communication_s")] public double? DecodeCommunicationSeconds { get; init; }
    [JsonPropertyName("decode_waiting_s")] public double? DecodeWaitingSeconds { get; init; }
    [JsonPropertyName("prefill_s")] public double? PrefillSeconds { get; init; }
    [JsonPropertyName("prefill_communication_s")] public double? PrefillCommunicationSeconds { get; init; }
    [JsonPropertyName("prefill_waiting_s")] public double? PrefillWaitingSeconds { get; init; }

    /// <summary>Why it does not fit; missing where it does.</summary>
    [JsonPropertyName("reason")] public string? Reason { get; init; }
}
