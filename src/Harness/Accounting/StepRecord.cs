using System.Text.Json.Serialization;
using Harness.Energy.Accounting;

namespace Harness.Accounting;

/// <summary>
/// One line of <c>steps.jsonl</c>: one forward pass of one micro-batch of a replica, from its start on the first stage until
/// its tokens were known; times on rank 0's clock. Prompts are named by their row in prompts.csv, counted from 0.
/// </summary>
internal sealed record StepRecord
{
    [JsonPropertyName("repeat")] public required int Repeat { get; init; }
    [JsonPropertyName("replica")] public required int Replica { get; init; }
    [JsonPropertyName("batch_index")] public required int Batch { get; init; }
    [JsonPropertyName("micro_batch")] public required int MicroBatch { get; init; }

    /// <summary>prefill or decode.</summary>
    [JsonPropertyName("kind")] public required string Kind { get; init; }
    [JsonPropertyName("start_s")] public required double StartSeconds { get; init; }
    [JsonPropertyName("end_s")] public required double EndSeconds { get; init; }
    [JsonPropertyName("rows")] public required int[] Rows { get; init; }

    /// <summary>Prompt tokens of each row in a prefill; missing in decode, where each advances by one.</summary>
    [JsonPropertyName("tokens")] public int[]? Tokens { get; init; }

    public Step ToStep()
    {
        var phase = Kind == "prefill" ? StepPhase.Prefill : StepPhase.Decode;
        return new(StartSeconds, EndSeconds, Replica, MicroBatch, [.. Rows.Select((row, i) => new StepEntry(row, Tokens?[i] ?? 1, phase))]);
    }
}
