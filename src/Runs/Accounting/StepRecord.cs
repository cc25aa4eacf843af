using System.Text.Json.Serialization;
using Harness.Energy.Accounting;

namespace Harness.Runs.Accounting;

/// <summary>
/// One line of <c>steps.jsonl</c>: one forward pass of one micro-batch of a replica, from its start on the first stage until
/// its tokens were known; times on rank 0's clock. Prompts are named by their row in prompts.csv, counted from 0.
/// </summary>
public sealed record StepRecord
{
    [JsonPropertyName("repeat")] public required int Repeat { get; init; }
    [JsonPropertyName("replica")] public required int Replica { get; init; }

    /// <summary>Over the prompts within the repeat; missing in the first.</summary>
    [JsonPropertyName("pass")] public int? Pass { get; init; }
    [JsonPropertyName("batch_index")] public required int Batch { get; init; }
    [JsonPropertyName("micro_batch")] public required int MicroBatch { get; init; }

    /// <summary>prefill, decode, or mixed: parts of prompts beside decoding sequences.</summary>
    [JsonPropertyName("kind")] public required string Kind { get; init; }
    [JsonPropertyName("start_s")] public required double StartSeconds { get; init; }
    [JsonPropertyName("end_s")] public required double EndSeconds { get; init; }

    /// <summary>Decoding sequences first. Null for a prompt that has no row, since it was given up before its end.</summary>
    [JsonPropertyName("rows")] public required int?[] Rows { get; init; }

    /// <summary>Tokens of each row: of its prompt, or the one it decodes; missing in decode, where each advances by one.</summary>
    [JsonPropertyName("tokens")] public int[]? Tokens { get; init; }

    /// <summary>How many of the first rows decode in a mixed step; missing in the others.</summary>
    [JsonPropertyName("decode_rows")] public int? DecodeRows { get; init; }

    public Step ToStep()
    {
        var decoding = Kind == "prefill" ? 0 : DecodeRows ?? Rows.Length;
        return new(StartSeconds, EndSeconds, Replica, MicroBatch,
            [.. Rows.Select((row, i) => new StepEntry(row, Tokens?[i] ?? 1, i < decoding ? StepPhase.Decode : StepPhase.Prefill))]);
    }
}
