using System.Runtime.InteropServices;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <param name="Tokens">One per sequence.</param>
/// <param name="BrokenRow">The first sequence that has a logit that is not finite, so that no token counts; null where all are.</param>
internal readonly record struct ChosenTokens(int[] Tokens, int? BrokenRow = null);

/// <summary>Chooses tokens on the last stage, from logits whose vocabulary is spread over the tensor group.</summary>
/// <param name="widths">Each tensor rank's part of the vocabulary, in tokens.</param>
internal sealed class TokenSampler(ITensorBackend ops, ITensorLink tensorGroup, ICommunicator tensorRanks, int[] widths,
    SamplingParameters sampling, ulong seed)
{
    private readonly record struct Candidate(float Logit, int Token);

    /// <summary>One token per sequence; every rank of the tensor group calls, and tensor rank 0's answer counts.</summary>
    public ChosenTokens Sample(Tensor logits, List<Sequence> sequences)
    {
        if (sampling is { Greedy: true, RepetitionPenalty: 1 }) return Largest(logits);
        if (tensorGroup.Size > 1) logits = tensorGroup.AllGatherColumns(logits, widths);
        if (tensorGroup.Rank != 0) return new(new int[sequences.Count]);
        var uniforms = sequences.Select(sequence => Uniform(seed, sequence.Stream, sequence.OutputLength)).ToArray();
        try
        {
            return new(ops.Sample(logits, sampling, uniforms, [.. sequences.Select(sequence => sequence.Tokens)]));
        }
        catch (NonFiniteLogitException e)
        {
            return new(new int[sequences.Count], e.Row);
        }
    }

    /// <summary>Greedy: ranks exchange their best (logit, token) instead of their logits; the lowest token wins among equals.</summary>
    private ChosenTokens Largest(Tensor logits)
    {
        var rows = logits.Rows;
        var (values, columns) = (new float[rows], new int[rows]);
        int? broken = null;
        try
        {
            ops.ArgMax(logits, values, columns);
        }
        catch (NonFiniteLogitException e)
        {
            broken = e.Row;
        }
        if (tensorGroup.Size == 1) return new(columns, broken);

        // The others hear of it in the same message.
        if (broken is { } spoilt) values[spoilt] = float.NaN;
        var first = widths.Take(tensorGroup.Rank).Sum();
        var mine = new Candidate[rows];
        for (var row = 0; row < rows; row++) mine[row] = new(values[row], first + columns[row]);
        var all = new Candidate[rows * tensorGroup.Size];
        tensorRanks.AllGather(MemoryMarshal.AsBytes(mine.AsSpan()), MemoryMarshal.AsBytes(all.AsSpan()));

        var best = all[..rows];
        for (var i = 0; i < all.Length; i++)
            if (!float.IsFinite(all[i].Logit)) return new(new int[rows], i % rows);
        foreach (var (candidate, i) in all.Select((candidate, i) => (candidate, i % rows)))
            if (candidate.Logit > best[i].Logit) best[i] = candidate;
        return new([.. best.Select(candidate => candidate.Token)]);
    }

    /// <summary>
    /// A draw in [0, 1) that depends on seed, prompt and step alone, so that batching does not change an answer (SplitMix64, Steele et al.
    /// 2014).
    /// </summary>
    internal static double Uniform(ulong seed, int stream, int step)
    {
        var z = Mix(Mix(Mix(seed) + (ulong)(uint)stream) + (ulong)(uint)step);
        return (z >> 11) * (1.0 / (1L << 53));

        static ulong Mix(ulong z)
        {
            z += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
