using Harness.Common;
using Harness.Tensors;

namespace Harness.Sharding;

/// <summary>
/// Which part of every tensor each rank keeps. Within a layer as in Megatron-LM (Shoeybi et al. 2019): queries, keys,
/// values, gate and up are split by rows (column-parallel: each rank computes its own heads and features), output and
/// down by columns (row-parallel: each rank computes a partial sum); embedding and head by vocabulary; layers over stages.
/// </summary>
public sealed class ShardPlan
{
    private readonly Slice[] _layers;

    public ModelShape Shape { get; }
    public int Tensor { get; }
    public int Pipeline { get; }

    /// <summary>Columns that no slice may cut: those of a group of weights that are stored together.</summary>
    public int Group { get; }

    /// <exception cref="UserErrorException">The model cannot be split so; the message lists degrees that fit.</exception>
    public ShardPlan(ModelShape shape, int tensor, int pipeline, DType weights = DType.F32)
    {
        (Shape, Tensor, Pipeline, Group) = (shape, tensor, pipeline, weights.Group());
        if (Objection(shape, tensor, pipeline, weights) is { } objection) throw new UserErrorException(objection);
        _layers = SplitLayers(shape, pipeline);
    }

    /// <summary>Why this split is impossible, in one line; null where it is possible.</summary>
    public static string? Objection(ModelShape shape, int tensor, int pipeline, DType weights = DType.F32)
    {
        if (tensor < 1 || pipeline < 1) return $"--tp {tensor} --pp {pipeline}: degrees start at 1";
        if (!TensorDegrees(shape).Contains(tensor))
            return $"--tp {tensor} does not divide the model's {shape.QueryHeads} query heads and {shape.KeyValueHeads} key/value heads; " +
                   $"use one of {string.Join(", ", TensorDegrees(shape))}";
        if (pipeline > shape.Layers)
            return $"--pp {pipeline} exceeds the model's {shape.Layers} layers; use 1 to {shape.Layers}";
        if (!KeepsGroups(shape, tensor, weights))
        {
            var degrees = TensorDegrees(shape).Where(degree => KeepsGroups(shape, degree, weights));
            return $"--tp {tensor} cuts the groups of {weights.Group()} columns that --dtype {weights.Label()} stores together: a rank has "
                + $"{shape.QueryHeads / tensor} query heads of {shape.HeadDimension} and a feed-forward of {shape.FeedForward / tensor}; "
                + $"use one of {string.Join(", ", degrees)}, or another --dtype";
        }
        return null;
    }

    /// <summary>Whether the columns of output and down can be dealt out in whole groups, some to every rank.</summary>
    private static bool KeepsGroups(ModelShape shape, int tensor, DType weights) => tensor == 1
        || (shape.QueryHeads / tensor * shape.HeadDimension % weights.Group() == 0
            && (shape.FeedForward + weights.Group() - 1) / weights.Group() >= tensor);

    /// <summary>Degrees that give every rank whole query heads, and whole key/value heads or one replicated one.</summary>
    public static IEnumerable<int> TensorDegrees(ModelShape shape) =>
        from degree in Enumerable.Range(1, shape.QueryHeads)
        where shape.QueryHeads % degree == 0
            && (shape.KeyValueHeads % degree == 0 || degree % shape.KeyValueHeads == 0)
            && degree <= Math.Min(shape.FeedForward, shape.Vocabulary)
        select degree;

    public RankPlan For(int tensorRank, int stage) => new(this, tensorRank, stage, _layers[stage]);

    /// <summary>
    /// Layers per stage, so that the costliest stage costs least. The cost of a part is the weights that one decoded
    /// token reads: a layer's, the head's on the last stage, one embedding row on the first.
    /// </summary>
    private static Slice[] SplitLayers(ModelShape shape, int stages)
    {
        var cost = new double[stages];
        var count = new int[stages];
        cost[0] += shape.Hidden;
        cost[^1] += shape.EmbeddingParameters + shape.Hidden;
        for (var s = 0; s < stages; s++) Give(s);
        for (var given = stages; given < shape.Layers; given++) Give(Array.IndexOf(cost, cost.Min()));

        var start = 0;
        return [.. count.Select(n => new Slice((start += n) - n, n))];

        void Give(int stage)
        {
            count[stage]++;
            cost[stage] += shape.LayerParameters;
        }
    }
}
