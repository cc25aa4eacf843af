using System.Diagnostics;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Generation;

/// <param name="EndOfText">Token ids that end a sequence; empty to ignore end-of-text.</param>
/// <param name="MicroBatches">Parts into which a batch is cut so that pipeline stages work at the same time.</param>
/// <param name="PrefillRows">Prompt tokens per pass, which bounds the activations' memory.</param>
public sealed record GenerationSettings(SamplingParameters Sampling, ulong Seed, IReadOnlySet<int> EndOfText, int MicroBatches = 1, int PrefillRows = GenerationSettings.DefaultPrefillRows)
{
    public const int DefaultPrefillRows = 1024;
}

/// <summary>A batch's passes in the order in which this rank completed them.</summary>
/// <param name="Stopped">It was given up before all its sequences had finished.</param>
public sealed record BatchOutcome(List<Step> Steps, long StartTicks, long EndTicks, bool Stopped);

/// <summary>
/// Generates static batches, as the paper does: a batch ends when its last sequence has. Every rank of a replica runs
/// this same loop on the same sequences; only the tokens travel.
/// </summary>
public sealed class Generator(ITensorBackend ops, LlamaStage stage, ReplicaGroup group, GenerationSettings settings)
{
    private readonly TokenSampler _sampler = new(ops, group.TensorLink, group.TensorRanks, group.VocabularyWidths, settings.Sampling, settings.Seed);
    private readonly Queue<(int[] Tokens, long Ticks, bool Stop)> _sampled = [];

    /// <summary>Runs the sequences to their ends.</summary>
    /// <param name="sequences">As many as the cache has slots, at most; sequence i takes slot i.</param>
    /// <param name="stepDone">Called after each pass, on this rank's thread.</param>
    /// <param name="stopRequested">Asked once per pass on the sampling rank; true ends the batch on every rank.</param>
    public BatchOutcome Run(IReadOnlyList<Sequence> sequences, KvCache cache, Action<Step>? stepDone = null, Func<bool>? stopRequested = null)
    {
        for (var i = 0; i < sequences.Count; i++) sequences[i].Slot = i;
        var start = Stopwatch.GetTimestamp();
        var parts = Math.Min(settings.MicroBatches, sequences.Count);
        var running = new Queue<MicroBatch>(Enumerable.Range(0, parts).Select(part => Cut(sequences, parts, part)));
        var steps = new List<Step>();
        var stopped = false;

        // The order of this loop is the pipeline's schedule: a micro-batch's tokens are awaited only when its turn comes
        // again, so that in the meantime this stage works on the others.
        while (running.TryDequeue(out var part))
        {
            if (part.UnderWay != null) stopped |= Await(part);
            if (stopped || part.Begin(Stopwatch.GetTimestamp()) is not { } pass) continue;
            Advance(part, pass, cache, stopRequested);
            running.Enqueue(part);
        }
        // A stop that was asked for during the last pass gives nothing up.
        return new(steps, start, Stopwatch.GetTimestamp(), stopped && sequences.Any(sequence => sequence.Finish == null));

        bool Await(MicroBatch part)
        {
            var (tokens, ticks, stop) = TokensOf(part);
            var step = part.Complete(tokens, ticks, settings.EndOfText);
            steps.Add(step);
            stepDone?.Invoke(step);
            return stop;
        }
    }

    private (int[] Tokens, long Ticks, bool Stop) TokensOf(MicroBatch part)
    {
        var count = part.UnderWay!.Value.Yields.Count;
        if (count == 0) return ([], Stopwatch.GetTimestamp(), false);      // a pass that only cached part of a prompt
        if (group.Tokens.IsSampler) return _sampled.Dequeue();
        var (tokens, stop) = group.Tokens.Receive(count);
        return (tokens, Stopwatch.GetTimestamp(), stop);
    }

    /// <summary>One pass through this stage; the last stage also samples, and tells the others.</summary>
    private void Advance(MicroBatch part, ForwardPass pass, KvCache cache, Func<bool>? stopRequested)
    {
        using var scope = ops.Scope();
        if (stage.Forward(pass, cache) is not { } logits) return;
        var tokens = _sampler.Sample(logits, part.UnderWay!.Value.Yields);
        if (!group.Tokens.IsSampler) return;
        var stop = stopRequested?.Invoke() == true;
        _sampled.Enqueue((tokens, Stopwatch.GetTimestamp(), stop));
        group.Tokens.Send(tokens, stop);
    }

    private MicroBatch Cut(IReadOnlyList<Sequence> sequences, int parts, int part)
    {
        var slice = Slice.Even(sequences.Count, parts, part);
        return new(part, [.. sequences.Skip(slice.Start).Take(slice.Count)], settings.PrefillRows);
    }
}
