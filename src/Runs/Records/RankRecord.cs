using System.Text.Json.Serialization;

namespace Harness.Runs.Records;

/// <summary>One row of <c>ranks.csv</c>: what one rank did in one window of one repeat.</summary>
public sealed record RankRecord
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }

    [JsonPropertyName("repeat")] public int Repeat { get; init; }

    /// <summary>Its name in <c>windows.jsonl</c>: <c>load</c>, <c>warmup</c>, <c>idle</c>, <c>cooldown</c>, <c>measured-1</c>, <c>torn-1</c>.</summary>
    [JsonPropertyName("window")] public required string Window { get; init; }

    [JsonPropertyName("rank")] public int Rank { get; init; }

    [JsonPropertyName("host")] public required string Host { get; init; }

    [JsonPropertyName("local_rank")] public int LocalRank { get; init; }

    [JsonPropertyName("tensor_rank")] public int TensorRank { get; init; }

    [JsonPropertyName("stage")] public int Stage { get; init; }

    [JsonPropertyName("replica")] public int Replica { get; init; }

    /// <summary>UUID of the rank's device; missing without one.</summary>
    [JsonPropertyName("device")] public string? Device { get; init; }

    [JsonPropertyName("seconds")] public double Seconds { get; init; }

    [JsonPropertyName("energy_j")] public double? EnergyJoules { get; init; }

    [JsonPropertyName("bytes_sent")] public long? BytesSent { get; init; }

    /// <summary>Waiting for the other ranks of the tensor group.</summary>
    [JsonPropertyName("collective_wait_s")] public double? CollectiveWaitSeconds { get; init; }

    /// <summary>Waiting for the stage before, or for the last stage's tokens: the pipeline's idle time.</summary>
    [JsonPropertyName("receive_wait_s")] public double? ReceiveWaitSeconds { get; init; }

    [JsonPropertyName("weight_bytes_read")] public long? WeightBytesRead { get; init; }

    [JsonPropertyName("weight_bytes_resident")] public long? WeightBytesResident { get; init; }

    [JsonPropertyName("kv_cache_bytes")] public long? KvCacheBytes { get; init; }
}
