using System.Text.Json.Serialization;
using Harness.Common;

namespace Harness.Runs.Records;

/// <summary>One row of <c>prompts.csv</c>: one prompt in one measured repeat. What is not known is null, and empty in the file.</summary>
[JsonConverter(typeof(ColumnsAsJson<PromptRecord>))]
public sealed record PromptRecord
{
    [SameColumn(typeof(SummaryRecord), "run_id")] public required string RunId { get; init; }
    [Column("repeat", "", "measured repeat, from 1")] public required int Repeat { get; init; }
    [Column("dataset", "", "that the prompt is from")] public required string Dataset { get; init; }

    [Column("prompt_index", "", "position of the prompt in its data set, whatever subset was drawn")]
    public required int PromptIndex { get; init; }

    [Column("batch_index", "", "the static batch; under continuous batching the group of requests that were stored together, at most one "
        + "group a second and replica; empty for a prompt that did not fit the context")]
    public int? BatchIndex { get; init; }

    [Column("input_tokens", "tokens", "of the prompt as the model read it, beginning-of-text included")]
    public int InputTokens { get; init; }

    [Column("output_tokens", "tokens", "generated, the end-of-text token included: it costs a step like any other")]
    public int OutputTokens { get; init; }

    /// <summary>See <see cref="Words"/>.</summary>
    [Column("output_words", "words", "of the output, as in 'From Words to Watts'", "the text split on spaces")]
    public int OutputWords { get; init; }

    /// <summary>One of <see cref="Records.FinishReason"/>.</summary>
    [Column("finish_reason", "", "`eos` (end of text), `length` (as many tokens as allowed), `context_length` (it did not fit: nothing was "
        + "generated), `error`")]
    public required string FinishReason { get; init; }

    [Column("ttft_s", "s", PromptTimes.Ttft + ": from `start_s` to the first token, as rank 0 of the replica learns it")]
    public double? TtftSeconds { get; init; }

    [Column("tpot_s", "s", PromptTimes.Tpot + "; empty for one token", "(latency_s − ttft_s) ÷ (output_tokens − 1)")]
    public double? TpotSeconds { get; init; }

    [Column("latency_s", "s", PromptTimes.Latency + ": from `start_s` to the last token")] public double? LatencySeconds { get; init; }

    [Column("energy_j", "J", "attributed, not measured: the prompt's share of the steps that it took part in")]
    public double? EnergyJoules { get; init; }

    [Column("prefill_energy_j", "J", "its part of prefill steps")] public double? PrefillEnergyJoules { get; init; }
    [Column("decode_energy_j", "J", "its part of decode steps")] public double? DecodeEnergyJoules { get; init; }

    [Column("net_energy_j", "J", "attributed, without the idle baseline", "energy_j − idle power × the prompt's share of device time")]
    public double? NetEnergyJoules { get; init; }

    [SameColumn(typeof(SummaryRecord), "energy_source")] public string? EnergySource { get; init; }

    [Column("correct", "", "whether the answer is right; empty where nothing can be judged")] public bool? Correct { get; init; }

    [SameColumn(typeof(SummaryRecord), "valid")] public bool Valid { get; init; }
    [SameColumn(typeof(SummaryRecord), "invalid_reasons")] public string? InvalidReasons { get; init; }

    [Column("category", "", "the data set's own, where it has one")] public string? Category { get; init; }

    [Column("start_s", "s", "when the prompt's clock begins, on the clock of its piece: its batch's start; under continuous batching when "
        + "it gets a slot, with `--rate` or `--arrivals` when it arrives; of a later turn when the answer before it is known")]
    public double? StartSeconds { get; init; }

    [Column("queue_s", "s", "with `--rate` or `--arrivals`, from its arrival until it gets a slot; a part of `ttft_s` and "
        + "`latency_s`")]
    public double? QueueSeconds { get; init; }

    [Column("piece", "", "the start of the run that finished it: 1, or more where the run was cut off and continued")]
    public int Piece { get; init; } = 1;

    [Column("itl_p99_s", "s", "99th percentile of the prompt's own inter-token latencies, interpolated as all percentiles are: what an "
        + "`itl` of `--slo` bounds; empty for one token", "`itl_s` of responses.jsonl", Extension = 1)]
    public double? ItlP99Seconds { get; init; }

    [Column("turn", "", "with `--turns`, of the conversation that `prompt_index` names, from 1; empty without", Extension = 13)]
    public int? Turn { get; init; }

    [Column("cached_tokens", "tokens", "with `--turns`, of `input_tokens` those that were in the cache from the turn before, and were not "
        + "computed again; empty without", Extension = 13)]
    public int? CachedTokens { get; init; }
}
