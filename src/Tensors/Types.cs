namespace Harness.Tensors;

/// <summary>Activations [Rows, Columns], owned by the scope in which they were made.</summary>
public abstract class Tensor
{
    public int Rows { get; protected set; }
    public int Columns { get; protected set; }
}

/// <summary>A matrix [Outputs, Inputs] on the backend's device; lives as long as the backend.</summary>
public abstract class Weight
{
    public required DType DType { get; init; }
    public required int Outputs { get; init; }
    public required int Inputs { get; init; }

    /// <summary>Bytes it occupies for this rank.</summary>
    public long ResidentBytes => Outputs * DType.RowBytes(Inputs);
}

/// <summary>Keys and values of past tokens; disposed to free device memory between runs.</summary>
public abstract class KvCache : IDisposable
{
    public required int Layers { get; init; }
    public required int Slots { get; init; }

    /// <summary>Tokens that one slot can hold.</summary>
    public required int Capacity { get; init; }
    public abstract long Bytes { get; }
    public abstract void Dispose();
}

/// <summary>The attention heads that this rank computes.</summary>
/// <param name="Queries">Query heads.</param>
/// <param name="KeyValues">Key/value heads; query head i attends with key/value head i · KeyValues / Queries.</param>
/// <param name="Dimension">Features per head.</param>
/// <param name="Frequencies">RoPE angle per position for each of the Dimension / 2 pairs, scaling applied, in radians.</param>
/// <param name="Window">A token sees itself and the Window - 1 tokens before it; 0 where there is no limit.</param>
public sealed record AttentionHeads(int Queries, int KeyValues, int Dimension, float[] Frequencies, int Window = 0);

/// <summary>
/// The sequences that one forward pass advances: sequence i adds <c>Counts[i]</c> rows at positions
/// <c>Starts[i]</c>, <c>Starts[i] + 1</c>, … to the cache's slot <c>Slots[i]</c>.
/// </summary>
public sealed class RaggedBatch
{
    public required int[] Slots { get; init; }
    public required int[] Starts { get; init; }
    public required int[] Counts { get; init; }
    public int Sequences => Slots.Length;

    /// <summary>Σ Counts: the rows of every activation in this pass.</summary>
    public int Rows => _rows ??= Counts.Sum();
    private int? _rows;
}

/// <summary>
/// How a token is drawn. Temperature 0 takes the largest logit; TopK 0 and TopP 1 cut nothing; a repetition penalty
/// of 1 changes nothing (Keskar et al. 2019: a seen token's logit is divided by it when positive, else multiplied).
/// Order: penalty, temperature, top-k, top-p.
/// </summary>
public sealed record SamplingParameters(float Temperature = 0, int TopK = 0, float TopP = 1, float RepetitionPenalty = 1)
{
    public bool Greedy => Temperature == 0;
}
