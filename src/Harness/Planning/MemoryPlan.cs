using Harness.Common;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Planning;

/// <summary>
/// Bytes that one rank needs on its device. Weights and cache are exact. Activations are those that a forward pass holds
/// at once, all tensors of a block living until its end, in float32: a backend that keeps them in 16 bits needs half.
/// Buffers of messages lie in host memory and are not counted.
/// </summary>
internal sealed record MemoryPlan
{
    private const int ActivationElementBytes = sizeof(float);

    public required int TensorRank { get; init; }
    public required int Stage { get; init; }
    public required long WeightBytes { get; init; }
    public required long KvCacheBytes { get; init; }
    public required long ActivationBytes { get; init; }
    public long Bytes => checked(WeightBytes + KvCacheBytes + ActivationBytes);

    /// <summary>The rank that needs most.</summary>
    /// <exception cref="UserErrorException">The model cannot be split so.</exception>
    public static MemoryPlan For(ModelShape shape, int tensor, int pipeline, PlannedWork work) =>
        For(new ShardPlan(shape, tensor, pipeline, work.Weights), work);

    /// <inheritdoc cref="For(ModelShape, int, int, PlannedWork)"/>
    /// <remarks>What does not divide evenly goes to the first tensor ranks: rank 0 of a stage needs most.</remarks>
    public static MemoryPlan For(ShardPlan plan, PlannedWork work) =>
        Enumerable.Range(0, plan.Pipeline).Select(stage => Of(plan, 0, stage, work)).MaxBy(rank => rank.Bytes)!;

    /// <summary>One rank.</summary>
    /// <exception cref="UserErrorException">Its bytes are more than 62 bits can count.</exception>
    public static MemoryPlan Of(ShardPlan plan, int tensorRank, int stage, PlannedWork work)
    {
        var rank = plan.For(tensorRank, stage);
        try
        {
            checked
            {
                var memory = new MemoryPlan
                {
                    TensorRank = tensorRank,
                    Stage = stage,
                    WeightBytes = rank.Tensors().Sum(slice => SliceBytes(slice, work.Weights)),
                    KvCacheBytes = (long)work.BatchSize * work.MaxLength * KvBytesPerToken(plan.Shape, rank, work.Cache),
                    ActivationBytes = Activations(plan, rank, work) * ActivationElementBytes,
                };
                // Others add what is held in reserve.
                return memory.Bytes <= long.MaxValue / 2 ? memory : throw new OverflowException();
            }
        }
        catch (OverflowException e)
        {
            throw new UserErrorException(FormattableString.Invariant($"a batch of {work.BatchSize} sequences of {work.MaxLength} tokens ")
                + "needs more bytes than there can be; give a smaller --batch or --max-length", e);
        }
    }

    /// <summary>Matrices in <paramref name="dtype"/>, norms and biases in float32.</summary>
    public static long SliceBytes(TensorSlice slice, DType dtype) => slice.IsVector
        ? slice.Elements * DType.F32.Bytes() : slice.Rows.Count * dtype.RowBytes(slice.Columns.Count);

    /// <summary>A key and a value for each of the rank's key/value heads in each of its layers.</summary>
    public static long KvBytesPerToken(ModelShape shape, RankPlan rank, DType dtype) =>
        2L * rank.KeyValueHeads.Count * shape.HeadDimension * rank.Layers.Count * dtype.Bytes();

    /// <summary>For people: the parts and their sum.</summary>
    public override string ToString() =>
        $"weights {Quantity.Text(WeightBytes)} + KV cache {Quantity.Text(KvCacheBytes)} + activations {Quantity.Text(ActivationBytes)} "
        + $"= {Quantity.Text(Bytes)}";

    /// <summary>
    /// Elements alive at the worst moment: the residual stream and, above it, either everything that a block makes
    /// (Block.Forward) or what the head makes (LlamaStage.Forward, TokenSampler). Rows are a prefill pass's or a decode
    /// step's, whichever has more; logits are computed for each sequence's last row.
    /// </summary>
    private static long Activations(ShardPlan plan, RankPlan rank, PlannedWork work)
    {
        long hidden = plan.Shape.Hidden, dimension = plan.Shape.HeadDimension;
        long sequences = work.SequencesPerPass(plan.Pipeline);
        var rows = Math.Max(sequences, work.PrefillRowsPerPass(plan.Pipeline));

        var queries = rank.QueryHeads.Count * dimension;
        var qkv = queries + 2 * rank.KeyValueHeads.Count * dimension;
        var block = 4 * hidden                              // two norms, output, down
                    + qkv + queries                         // queries, keys and values; attention
                    + 3L * rank.FeedForward.Count;          // gate ‖ up; SwiGLU
        var gathered = plan.Tensor > 1 && !work.Greedy ? plan.Shape.Vocabulary : 0;
        var head = rank.IsLastStage ? 2 * hidden + rank.Vocabulary.Count + gathered : 0;    // selected rows, norm, logits
        return checked(rows * hidden + Math.Max(rows * block, sequences * head));
    }
}
