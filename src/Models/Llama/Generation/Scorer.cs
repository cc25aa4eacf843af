using System.Runtime.InteropServices;
using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <summary>
/// The model's logits for every position of a given text: proof that a dtype, a backend or a split computes the same model.
/// </summary>
public sealed class Scorer(ITensorBackend ops, LlamaStage stage, ReplicaGroup group, int vocabulary)
{
    private const int RowsPerPass = 128;
    private const int Tag = 78;

    /// <summary>Every rank of the replica calls; rank 0 gets each position's logits, [vocabulary], in order.</summary>
    /// <param name="tokens">Beginning-of-text first.</param>
    public void Run(int[] tokens, Action<int, ReadOnlySpan<float>> position)
    {
        using var cache = stage.NewCache(slots: 1, capacity: tokens.Length);
        for (var start = 0; start < tokens.Length; start += RowsPerPass)
        {
            var count = Math.Min(RowsPerPass, tokens.Length - start);
            var logits = Logits(tokens.AsSpan(start, count).ToArray(), start, cache);
            for (var row = 0; row < count && group.Replica.Rank == 0; row++)
                position(start + row, logits.AsSpan(row * vocabulary, vocabulary));
        }
    }

    /// <summary>[count, vocabulary], row by row, on rank 0; empty elsewhere.</summary>
    private float[] Logits(int[] tokens, int start, KvCache cache)
    {
        using var scope = ops.Scope();
        var batch = new RaggedBatch { Slots = [0], Starts = [start], Counts = [tokens.Length] };
        var logits = stage.Forward(new(tokens, batch, [.. Enumerable.Range(0, tokens.Length)]), cache);
        if (logits != null && group.TensorLink.Size > 1)
            logits = group.TensorLink.AllGatherColumns(logits, group.VocabularyWidths);

        var (rank, sampler) = (group.Replica.Rank, group.SamplingRank);
        if (rank != 0 && rank != sampler) return [];
        var host = new float[tokens.Length * vocabulary];
        if (rank == sampler) ops.ReadHost(logits!, host);
        if (sampler == 0) return host;
        if (rank == sampler) group.Replica.Send(MemoryMarshal.AsBytes(host.AsSpan()), 0, Tag);
        else group.Replica.Receive(MemoryMarshal.AsBytes(host.AsSpan()), sampler, Tag);
        return rank == 0 ? host : [];
    }
}
