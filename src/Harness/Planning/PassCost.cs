using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Planning;

/// <summary>One forward pass of one micro-batch.</summary>
/// <param name="Rows">Tokens that it advances.</param>
/// <param name="Outputs">Rows whose logits are wanted.</param>
/// <param name="Context">Tokens that a row attends to, on average.</param>
/// <param name="CacheTokens">Positions whose keys and values are read, over all sequences.</param>
internal readonly record struct PassShape(int Rows, int Outputs, double Context, double CacheTokens)
{
    /// <summary>Every sequence advances by a token, at its full length: the slowest step.</summary>
    public static PassShape Decode(PlannedWork work, int stages)
    {
        var sequences = work.SequencesPerPass(stages);
        return new(sequences, sequences, work.MaxLength, (double)sequences * work.MaxLength);
    }

    /// <summary>Prompts as long as the sequences; causal attention sees half of one on average.</summary>
    public static PassShape Prefill(PlannedWork work, int stages)
    {
        var rows = work.PrefillRowsPerPass(stages);
        return new(rows, (rows + work.MaxLength - 1) / work.MaxLength, work.MaxLength / 2.0, rows);
    }
}

/// <summary>
/// What one rank does in one pass. Left out, being small: activations to and from memory, norms, RoPE, sampling, the
/// bytes of the tokens themselves.
/// </summary>
/// <param name="MemoryBytes">Weights and cache read, once each.</param>
/// <param name="Flops">A multiplication and an addition are two.</param>
/// <param name="TensorBytes">
/// Sent for the all-reduces within the tensor group: two a layer, and the embedding's; n bytes over s ranks cost each
/// rank 2 n (s - 1) / s, as <see cref="LinkStatistics"/> counts.
/// </param>
/// <param name="HeadBytes">Sent for sampling within the last stage's tensor group.</param>
/// <param name="PipelineBytes">Sent to the peer on the next stage.</param>
/// <param name="Messages">Collectives and messages, for the latency.</param>
internal sealed record PassCost(double MemoryBytes, double Flops, double TensorBytes, double HeadBytes, double PipelineBytes, int Messages)
{
    /// <summary>(float32 logit, int32 token).</summary>
    private const int CandidateBytes = 8;

    public double LinkBytes => TensorBytes + HeadBytes + PipelineBytes;

    public static PassCost Of(ShardPlan plan, int stage, PlannedWork work, PassShape pass)
    {
        var rank = plan.For(0, stage);
        var layers = rank.Tensors().Where(slice => slice.Name.StartsWith("model.layers.", StringComparison.Ordinal)).ToList();
        var head = rank.IsLastStage ? rank.Find(rank.HeadName) : default;
        return new(
            Read(plan, rank, work, pass, layers, head),
            Operations(plan, rank, pass, layers, head),
            (double)pass.Rows * Reductions(rank) * plan.Shape.Hidden * work.Wire.Bytes() * 2 * (plan.Tensor - 1) / plan.Tensor,
            rank.IsLastStage ? (double)pass.Outputs * (plan.Tensor - 1) * SampledBytes(rank, work) : 0,
            rank.IsLastStage ? 0 : (double)pass.Rows * plan.Shape.Hidden * work.Wire.Bytes(),
            MessagesOf(plan, rank));
    }

    /// <summary>What a rank of the last stage sends to each other one for a sequence's next token.</summary>
    private static int SampledBytes(RankPlan rank, PlannedWork work) =>
        work.Greedy ? CandidateBytes : rank.Vocabulary.Count * work.Wire.Bytes();

    private static double Read(ShardPlan plan, RankPlan rank, PlannedWork work, PassShape pass, List<TensorSlice> layers, TensorSlice head)
    {
        var bytes = layers.Sum(slice => MemoryPlan.SliceBytes(slice, work.Weights))
                    + pass.CacheTokens * MemoryPlan.KvBytesPerToken(plan.Shape, rank, work.Cache);
        if (rank.IsFirstStage) bytes += (double)pass.Rows * work.Weights.RowBytes(plan.Shape.Hidden);     // rows of the embedding
        if (rank.IsLastStage)
            bytes += MemoryPlan.SliceBytes(rank.Find(RankPlan.FinalNorm), work.Weights) + MemoryPlan.SliceBytes(head, work.Weights);
        return bytes;
    }

    private static double Operations(ShardPlan plan, RankPlan rank, PassShape pass, List<TensorSlice> layers, TensorSlice head)
    {
        var matrices = layers.Where(slice => !slice.IsVector).Sum(slice => slice.Elements);
        // Scores, and their sum of values.
        var attention = 2 * pass.Context * rank.QueryHeads.Count * plan.Shape.HeadDimension * rank.Layers.Count;
        return 2 * (pass.Rows * (matrices + attention) + (double)pass.Outputs * head.Elements);
    }

    private static int Reductions(RankPlan rank) => 2 * rank.Layers.Count + (rank.IsFirstStage ? 1 : 0);

    private static int MessagesOf(ShardPlan plan, RankPlan rank)
    {
        var messages = plan.Tensor > 1 ? Reductions(rank) + (rank.IsLastStage ? 1 : 0) : 0;
        if (!rank.IsLastStage) messages++;
        if (rank.IsLastStage && plan.Tensor * plan.Pipeline > 1) messages++;        // the tokens, to every other rank
        return messages;
    }
}
