using System.Diagnostics;
using Harness.Energy.Accounting;
using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Generation;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Links;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Bench;

/// <summary>
/// The whole forward pass beside the limits of this machine: a decode step must read every weight once (all but the
/// embedding, of which it reads a row per token) and do two operations with it per sequence, a prefill two per weight and token.
/// </summary>
internal static unsafe class ModelBench
{
    private const long ReadBytes = 512L << 20;
    private const int ReadInputs = 2048;
    private const int Context = 128;
    private const int PrefillTokens = 512;

    /// <summary>One is too short to be timed alone.</summary>
    private const int Choices = 100, Turns = 10_000;

    public static void Run(Options options)
    {
        using var checkpoint = Checkpoint.Open(options.Text("model", "synthetic:tinyllama-1.1b"));
        var dtype = DTypes.ParseWeights(options.Text("dtypes", "bf16"));
        foreach (var threads in options.Integers("threads", "1,2"))
            Run(checkpoint, dtype, threads, options.Integers("batches", "1,2,4,8"), options.Integer("rounds", 9));
    }

    private static void Run(ICheckpoint checkpoint, DType dtype, int threads, int[] batches, int count)
    {
        using var ops = new CpuBackend(new BackendOptions(threads, 0, 1, DType.F32));
        var shape = checkpoint.Config.Shape;
        var stage = new LlamaStage(ops, checkpoint, new ShardPlan(shape, 1, 1).For(0, 0), dtype, new SoloLink(), new SoloLink());
        using var cache = stage.NewCache(Math.Max(batches.Max(), 1), PrefillTokens);
        var buffer = (CpuWeight)ops.LoadWeight(
            [new RandomSlice { Name = "read", DType = DType.BF16, Rows = (int)(ReadBytes / ReadInputs / DType.BF16.Bytes()),
            Columns = ReadInputs }], DType.BF16);
        var data = buffer.Segments[0].Data;

        var rounds = new Rounds();
        var one = rounds.Add("read, one stream", () => Limits.ReadOneStream(ops.Team, data, ReadBytes));
        var eight = rounds.Add("read, eight streams", () => Limits.ReadEightStreams(ops.Team, data, ReadBytes));
        var peak = rounds.Add("FMA peak", () => Limits.FusedMultiplyAdds(ops.Team));
        var prefill = rounds.Add($"prefill, {PrefillTokens} tokens", () => Forward(ops, stage, cache, 1, 0, PrefillTokens));
        var decodes = batches.Select(batch =>
            (Batch: batch, Candidate: rounds.Add($"decode, batch {batch}, context {Context}", () =>
            Forward(ops, stage, cache, batch, Context, 1)))).ToArray();
        var choices = batches.Select(batch => rounds.Add($"choosing, batch {batch}", Choice(ops, batch, shape.Vocabulary))).ToArray();
        var turns = rounds.Add("telling what a rank did", Telling(ops));
        rounds.Run(count);

        var decodeBytes = stage.BytesResident - (shape.TiedEmbeddings ? 0 : shape.Vocabulary * dtype.RowBytes(shape.Hidden));
        var prefillFlops = 2.0 * PrefillTokens * shape.Layers * shape.LayerParameters;
        Console.WriteLine();
        Console.WriteLine($"{checkpoint.Name}, {dtype.Label()}, {ops.Device}: median of {count} rounds, each limit measured in the same "
            + "round");
        Console.WriteLine($"read limit {ReadBytes / Math.Min(rounds.MedianWallSeconds(one), rounds.MedianWallSeconds(eight)) / 1e9:F1} "
            + $"GB/s, FMA peak {threads * Limits.PeakFlops / rounds.MedianWallSeconds(peak) / 1e9:F0} GFLOP/s");
        Console.WriteLine($"{"",-32} {"of read limit",13} {"(cpu time)",11} {"of FMA peak",11} {"(cpu time)",11} {"tokens/s",9}");
        foreach (var (batch, candidate) in decodes)
        {
            var scale = (double)decodeBytes / ReadBytes;
            var flops = 2.0 * batch * (shape.Parameters - (shape.TiedEmbeddings ? 0 : shape.EmbeddingParameters));
            Print(rounds.Name(candidate), rounds.Ratio(candidate, (one, scale), (eight, scale)),
                rounds.Ratio(candidate, (peak, flops / (threads * Limits.PeakFlops))), batch / rounds.MedianWallSeconds(candidate));
        }
        foreach (var ((batch, decode), choice) in decodes.Zip(choices))
            Console.WriteLine($"choosing tokens, batch {batch}: all {shape.Vocabulary} logits of a row are looked at, and known to be "
                + $"finite, in {100 * rounds.MedianWallSeconds(choice) / Choices / rounds.MedianWallSeconds(decode):F3} % of the step");
        foreach (var (batch, decode) in decodes)
            Console.WriteLine($"telling what the rank did, batch {batch}: in "
                + $"{100 * rounds.MedianWallSeconds(turns) / Turns / rounds.MedianWallSeconds(decode):F4} % of the step "
                + $"({1e9 * rounds.MedianWallSeconds(turns) / Turns:F0} ns)");
        Print(rounds.Name(prefill), default, rounds.Ratio(prefill, (peak, prefillFlops / (threads * Limits.PeakFlops))),
            PrefillTokens / rounds.MedianWallSeconds(prefill));
    }

    private static Action Choice(CpuBackend ops, int rows, int vocabulary)
    {
        var logits = ops.NewTensor(rows, vocabulary);
        var random = new Random(1);
        ops.WriteHost(logits, [.. Enumerable.Range(0, rows * vocabulary).Select(_ => (float)random.NextDouble())]);
        var (values, columns) = (new float[rows], new int[rows]);
        return () =>
        {
            for (var i = 0; i < Choices; i++) ops.ArgMax(logits, values, columns);
        };
    }

    /// <summary>What every step of a rank of several costs besides: a look at its links before and after, a pass and a wait.</summary>
    private static Action Telling(CpuBackend ops)
    {
        var alone = new SoloCommunicator();
        var group = new ReplicaGroup
        {
            Replica = alone,
            TensorRanks = alone,
            TensorLink = new HostLink(alone, ops, DType.F32),
            Pipeline = new HostLink(alone, ops, DType.F32),
            VocabularyWidths = [1],
        };
        return () =>
        {
            var log = new PhaseLog(0.1);
            for (var i = 0; i < Turns; i++)
            {
                var before = group.LinkStatistics;
                var start = i * 0.01 + Stopwatch.GetTimestamp() * 1e-30;
                var links = group.LinkStatistics - before;
                log.AddPass(start, start + 0.008, 0, links.CollectiveSeconds + links.TransferSeconds, links.ReceiveSeconds);
                log.AddWait(start + 0.008, start + 0.0099 + Stopwatch.GetTimestamp() * 1e-30);
            }
            log.TakeNew();
        };
    }

    private static void Print(string name, (double Wall, double Cpu) read, (double Wall, double Cpu) fma, double tokensPerSecond) =>
        Console.WriteLine($"{name,-32} {Cell(read.Wall),13} {Cell(read.Cpu),11} {Cell(fma.Wall),11} {Cell(fma.Cpu),11} "
            + $"{tokensPerSecond,9:F1}");

    private static string Cell(double ratio) => ratio > 0 ? ratio.ToString("F2") : "";

    /// <summary>
    /// One pass of so many new tokens for each sequence, at the same place every time; logits of the last, as in generation.
    /// </summary>
    private static void Forward(CpuBackend ops, LlamaStage stage, KvCache cache, int sequences, int start, int tokens)
    {
        using var scope = ops.Scope();
        var batch = new RaggedBatch
        {
            Slots = [.. Enumerable.Range(0, sequences)],
            Starts = [.. Enumerable.Repeat(start, sequences)],
            Counts = [.. Enumerable.Repeat(tokens, sequences)],
        };
        var ids = Enumerable.Range(0, batch.Rows).Select(i => 3 + i % 256).ToArray();
        stage.Forward(new(ids, batch, [.. Enumerable.Range(1, sequences).Select(s => s * tokens - 1)]), cache);
        ops.Synchronize();
    }
}
