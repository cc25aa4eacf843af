using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Bench;

/// <summary>
/// Attention of one layer over a long context beside the limits of this machine: a decode step must read the keys and values of every
/// sequence once and do four operations with each of their elements for every query head of its group; a prefill does as many for
/// every pair of tokens. A sample goes through as many layers as are far beyond every cache, since in a model all weights come between
/// two looks at a layer.
/// </summary>
internal static unsafe class AttentionBench
{
    private const long ReadBytes = 512L << 20, CacheBytes = 256L << 20;
    private const int ReadInputs = 2048, PrefillTokens = 2048, FillRows = 256;

    /// <summary>Query heads that share keys and values, and ones that do not.</summary>
    private static readonly (string Name, int Queries, int KeyValues, int Dimension)[] s_shapes =
        [("tinyllama-1.1b", 32, 4, 64), ("llama-7b", 32, 32, 128)];

    public static void Run(Options options)
    {
        var dtypes = options.Text("dtypes", "f32,bf16,f16").Split(',').Select(DTypes.Parse).ToArray();
        foreach (var threads in options.Integers("threads", "1,2"))
            foreach (var dtype in dtypes)
                Run(threads, dtype, options.Integers("contexts", "2048,8192"), options.Integers("batches", "1,8"),
                    options.Integer("rounds", 9));
    }

    private static void Run(int threads, DType dtype, int[] contexts, int[] batches, int count)
    {
        using var ops = new CpuBackend(new BackendOptions(threads, 0, 1, DType.F32, dtype));
        var buffer = (CpuWeight)ops.LoadWeight([new RandomSlice { Name = "read", DType = DType.BF16,
            Rows = (int)(ReadBytes / ReadInputs / DType.BF16.Bytes()), Columns = ReadInputs }], DType.BF16);
        var data = buffer.Segments[0].Data;
        Console.WriteLine();
        Console.WriteLine($"KV cache in {dtype.Label()}, {ops.Device}: median of {count} rounds, each limit measured in the same round");
        Console.WriteLine($"{"",-52} {"of read limit",13} {"(cpu time)",10} {"of FMA peak",11} {"(cpu time)",10} {"of roofline",11} "
            + $"{"ms",8}");
        foreach (var shape in s_shapes)
        {
            var heads = new AttentionHeads(shape.Queries, shape.KeyValues, shape.Dimension,
                [.. Enumerable.Range(0, shape.Dimension / 2).Select(i => (float)Math.Pow(10000, -2.0 * i / shape.Dimension))]);
            foreach (var context in contexts)
                foreach (var batch in batches) Decode(shape.Name, heads, context, batch);
            Prefill(shape.Name, heads);
        }
        GC.KeepAlive(buffer);

        void Decode(string name, AttentionHeads heads, int context, int batch)
        {
            var bytes = 2L * heads.KeyValues * heads.Dimension * dtype.Bytes() * context * batch;
            var layers = (int)Math.Max(1, (CacheBytes + bytes - 1) / bytes);
            using var cache = ops.NewKvCache(layers, batch, context, heads);
            Fill(ops, cache, heads);
            var step = Rows(ops, batch, heads);
            var places = new RaggedBatch
            {
                Slots = [.. Enumerable.Range(0, batch)],
                Starts = [.. Enumerable.Repeat(context - 1, batch)],
                Counts = [.. Enumerable.Repeat(1, batch)]
            };
            Measure($"{name}, decode, context {context}, batch {batch}", bytes * layers,
                4.0 * heads.Queries * heads.Dimension * context * batch * layers, layers, () =>
                {
                    for (var layer = 0; layer < layers; layer++) Attend(ops, step, cache, layer, places, heads);
                });
        }

        void Prefill(string name, AttentionHeads heads)
        {
            using var cache = ops.NewKvCache(1, 1, PrefillTokens, heads);
            var prompt = Rows(ops, PrefillTokens, heads);
            var places = new RaggedBatch { Slots = [0], Starts = [0], Counts = [PrefillTokens] };
            Measure($"{name}, prefill of {PrefillTokens}", 0,
                2.0 * heads.Queries * heads.Dimension * PrefillTokens * (PrefillTokens + 1), 1,
                () => Attend(ops, prompt, cache, 0, places, heads));
        }

        void Measure(string name, long bytes, double flops, int layers, Action body)
        {
            var rounds = new Rounds();
            var one = rounds.Add("read, one stream", () => Limits.ReadOneStream(ops.Team, data, ReadBytes));
            var eight = rounds.Add("read, eight streams", () => Limits.ReadEightStreams(ops.Team, data, ReadBytes));
            var peak = rounds.Add("FMA peak", () => Limits.FusedMultiplyAdds(ops.Team));
            var candidate = rounds.Add(name, body);
            rounds.Run(count);
            var scale = (double)bytes / ReadBytes;
            var read = bytes > 0 ? rounds.Ratio(candidate, (one, scale), (eight, scale)) : default;
            var fma = rounds.Ratio(candidate, (peak, flops / (threads * Limits.PeakFlops)));
            Console.WriteLine($"{name,-52} {Cell(read.Wall),13} {Cell(read.Cpu),10} {Cell(fma.Wall),11} {Cell(fma.Cpu),10} "
                + $"{Cell(Math.Max(read.Wall, fma.Wall)),11} {1e3 * rounds.MedianWallSeconds(candidate) / layers,8:F3}");
        }
    }

    /// <summary>Every position of every slot written, each looking at itself alone: a prefill of all would take minutes.</summary>
    private static void Fill(CpuBackend ops, KvCache cache, AttentionHeads heads)
    {
        using var scope = ops.Scope();
        var rows = Rows(ops, FillRows, heads);
        var rest = cache.Capacity % FillRows;
        var last = rest > 0 ? Rows(ops, rest, heads) : rows;
        for (var layer = 0; layer < cache.Layers; layer++)
            for (var slot = 0; slot < cache.Slots; slot++)
                for (var start = 0; start < cache.Capacity; start += FillRows)
                {
                    var full = start + FillRows <= cache.Capacity;
                    Attend(ops, full ? rows : last, cache, layer,
                        new RaggedBatch { Slots = [slot], Starts = [start], Counts = [full ? FillRows : rest] }, heads with { Window = 1 });
                }
    }

    private static void Attend(CpuBackend ops, Tensor qkv, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads)
    {
        using var scope = ops.Scope();
        ops.Attend(qkv, cache, layer, batch, heads);
    }

    /// <summary>Queries, keys and values in [-1, 1).</summary>
    private static Tensor Rows(CpuBackend ops, int count, AttentionHeads heads)
    {
        var random = new Random(count);
        var rows = ops.NewTensor(count, (heads.Queries + 2 * heads.KeyValues) * heads.Dimension);
        ops.WriteHost(rows, [.. Enumerable.Range(0, rows.Rows * rows.Columns).Select(_ => 2 * random.NextSingle() - 1)]);
        return rows;
    }

    private static string Cell(double ratio) => ratio > 0 ? ratio.ToString("F2") : "";
}
