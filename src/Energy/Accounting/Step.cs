using System.Text.Json.Serialization;
using Harness.Common;

namespace Harness.Energy.Accounting;

public enum StepPhase { Prefill, Decode }

/// <summary>Mixed: parts of prompts beside decoding sequences.</summary>
[JsonConverter(typeof(EnumWordAsJson<StepKind>))]
public enum StepKind { Prefill, Decode, Mixed }

/// <summary>
/// What one prompt had done in one step: <paramref name="Tokens"/> of its prompt (prefill) or the tokens it generated (decode, 1).
/// </summary>
/// <param name="Row">Null for one whose answer was never finished: its joules are nobody's.</param>
public readonly record struct StepEntry(int? Row, int Tokens, StepPhase Phase);

/// <summary>
/// One forward pass of one micro-batch of a replica, from its start on the first stage until its tokens were known, with everything
/// that took part in it: a line of <c>steps.jsonl</c>. Times are on rank 0's clock. Prompts are named by their row in prompts.csv,
/// counted from 0. Parts of prompts and decoding sequences may share a step (continuous batching).
/// </summary>
public sealed record Step
{
    [JsonPropertyName("repeat")] public required int Repeat { get; init; }
    [JsonPropertyName("replica")] public required int Replica { get; init; }

    /// <summary>Over the prompts within the repeat; missing in the first.</summary>
    [JsonPropertyName("pass")] public int? Pass { get; init; }
    [JsonPropertyName("batch_index")] public required int Batch { get; init; }
    [JsonPropertyName("micro_batch")] public required int MicroBatch { get; init; }

    [JsonPropertyName("kind")] public required StepKind Kind { get; init; }

    [JsonPropertyName("start_s")] public required double StartSeconds { get; init; }
    [JsonPropertyName("end_s")] public required double EndSeconds { get; init; }

    /// <summary>Decoding sequences first. Null for a prompt that has no row, since it was given up before its end.</summary>
    [JsonPropertyName("rows")] public required int?[] Rows { get; init; }

    /// <summary>Tokens of each row: of its prompt, or the one it decodes; missing in decode, where each advances by one.</summary>
    [JsonPropertyName("tokens")] public int[]? Tokens { get; init; }

    /// <summary>How many of the first rows decode in a mixed step; missing in the others.</summary>
    [JsonPropertyName("decode_rows")] public int? DecodeRows { get; init; }

    [JsonIgnore]
    public IEnumerable<StepEntry> Entries
    {
        get
        {
            var decoding = Kind == StepKind.Prefill ? 0 : DecodeRows ?? Rows.Length;
            for (var i = 0; i < Rows.Length; i++)
                yield return new(Rows[i], Tokens?[i] ?? 1, i < decoding ? StepPhase.Decode : StepPhase.Prefill);
        }
    }
}
