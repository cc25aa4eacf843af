using System.Text.Json.Serialization;

namespace Harness.Runs.Records;

/// <summary>One line of <c>responses.jsonl</c>: what the model read and wrote for one prompt in one measured repeat.</summary>
public sealed record ResponseRecord
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }

    [JsonPropertyName("repeat")] public required int Repeat { get; init; }

    [JsonPropertyName("prompt_index")] public required int PromptIndex { get; init; }

    /// <summary>Of its conversation, from 1; null where each has one.</summary>
    [JsonPropertyName("turn")] public int? Turn { get; init; }

    /// <summary>The user's own name of the prompt, where the dataset gives one.</summary>
    [JsonPropertyName("id")] public string? Id { get; init; }

    [JsonPropertyName("prompt")] public required string Prompt { get; init; }

    [JsonPropertyName("output_ids")] public required IReadOnlyList<int> OutputIds { get; init; }

    [JsonPropertyName("text")] public required string Text { get; init; }

    [JsonPropertyName("finish_reason")] public required string FinishReason { get; init; }

    /// <summary>Inter-token latencies in seconds, one fewer than <see cref="OutputIds"/>.</summary>
    [JsonPropertyName("itl_s")] public IReadOnlyList<double>? ItlSeconds { get; init; }
}

/// <summary>The same line, for those who want its times alone.</summary>
public sealed record ResponseGaps
{
    /// <inheritdoc cref="ResponseRecord.ItlSeconds"/>
    [JsonPropertyName("itl_s")] public IReadOnlyList<double>? ItlSeconds { get; init; }
}
