using Harness.Configuration;
using Harness.Models.Llama.Generation;
using Harness.Tensors;

namespace Harness.Planning;

/// <summary>What the ranks will be asked to do, as far as memory and time depend on it.</summary>
internal sealed record PlannedWork
{
    /// <summary>What a run of these options asks of its ranks.</summary>
    /// <param name="sequences">At the same time.</param>
    /// <param name="longest">Tokens of a sequence at its end.</param>
    /// <param name="weights">Their type in memory.</param>
    /// <param name="cache">The KV cache's.</param>
    public static PlannedWork Of(RunOptions options, int sequences, int longest, DType weights, DType cache) => new()
    {
        BatchSize = sequences,
        MaxLength = longest,
        MicroBatches = options.Sharding.MicroBatches,
        Weights = weights,
        Cache = cache,
        Wire = options.Sharding.CommDtype,
        Greedy = options.Generation is { Temperature: 0, RepetitionPenalty: 1 },
    };

    /// <summary>Sequences generated at the same time, over all micro-batches.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Tokens of a sequence at its end, prompt and output: what each slot of the cache can hold.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Matrices in memory; the gains of the norms are float32 in any case.</summary>
    public DType Weights { get; init; } = DType.BF16;
    public DType Cache { get; init; } = DType.BF16;

    /// <summary>Activations between ranks.</summary>
    public DType Wire { get; init; } = DType.F32;

    /// <summary>Parts of a batch in the pipeline at the same time; 0 for as many as stages.</summary>
    public int MicroBatches { get; init; }

    /// <summary>Prompt tokens per pass, at most.</summary>
    public int PrefillRows { get; init; } = GenerationSettings.DefaultPrefillRows;

    /// <summary>Tensor ranks exchange their best (logit, token) per sequence; otherwise they gather the logits.</summary>
    public bool Greedy { get; init; } = true;

    /// <summary>Micro-batches that a batch is really cut into: never more than it has sequences.</summary>
    public int MicroBatchesOver(int stages) => Math.Min(MicroBatches > 0 ? MicroBatches : stages, BatchSize);

    /// <summary>Sequences of the largest micro-batch.</summary>
    public int SequencesPerPass(int stages) => (BatchSize - 1) / MicroBatchesOver(stages) + 1;

    /// <summary>Rows of the largest prefill pass of a micro-batch whose prompts fill the sequences.</summary>
    public int PrefillRowsPerPass(int stages) => (int)Math.Min(PrefillRows, (long)SequencesPerPass(stages) * MaxLength);
}
