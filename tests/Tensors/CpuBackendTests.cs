using Harness.Common;
using Harness.Tensors;
using Harness.Tensors.Cpu;
using Harness.Tests.Contracts;

namespace Harness.Tests.Tensors;

/// <summary>What the CPU backend promises beyond the contract: equal bits, refusals, memory.</summary>
internal sealed class CpuBackendTests
{
    private static readonly AttentionHeads s_heads =
        new(8, 2, 64, [.. Enumerable.Range(0, 32).Select(i => (float)Math.Pow(10000, -i / 32.0))]);

    private static IEnumerable<VectorWidth> Widths => Enum.GetValues<VectorWidth>().Where(width => width <= VectorWidths.Widest);

    private static CpuBackend Backend(int threads, VectorWidth width, DType cache = DType.F32) =>
        new(new BackendOptions(threads, 0, 1, DType.F32, cache), width);

    [Test]
    public void LinearGivesEqualBitsInEveryBatchAndForEveryNumberOfThreads(
        [ValueSource(nameof(Widths))] VectorWidth width, [Values] DType dtype, [Values(64, 172, 1000)] int inputs)
    {
        const int outputs = 203, most = 70;
        var stored = dtype == DType.Int8 ? DType.F32 : dtype;
        var (x, w) = (Values(most * inputs, 1), Values(outputs * inputs, 2));
        var reference = Product(1, most);
        foreach (var threads in new[] { 1, 3 })
            foreach (var rows in Enumerable.Range(1, 17).Concat([33, 64, 65, most]))
                Assert.That(Product(threads, rows), Is.EqualTo(reference[..(rows * outputs)]), $"{threads} threads, {rows} rows");

        float[] Product(int threads, int rows)
        {
            using var ops = Backend(threads, width);
            var weight = ops.LoadWeight(
                [MemorySlice.Of(w[..(100 * inputs)], 100, stored), MemorySlice.Of(w[(100 * inputs)..], outputs - 100, stored)], dtype);
            return Read(ops, ops.Linear(Put(ops, x[..(rows * inputs)], rows), weight));
        }
    }

    [Test]
    public void AttentionGivesEqualBitsInPrefillAndDecodeAndForEveryNumberOfThreads([ValueSource(nameof(Widths))] VectorWidth width,
        [Values(0, 300)] int window, [Values(DType.F32, DType.BF16, DType.F16)] DType cacheType)
    {
        const int tokens = 700;
        var heads = s_heads with { Window = window };
        var rowFloats = 12 * 64;
        var qkv = Values(tokens * rowFloats, 3);
        var reference = Attended(1, [tokens]);
        Assert.That(Attended(3, [tokens]), Is.EqualTo(reference), "threads");
        Assert.That(Attended(2, [300, 1, 5, 394]), Is.EqualTo(reference), "prefill in parts");
        // With 7 threads each decode step is cut into its pieces of keys.
        Assert.That(Attended(7, [650, .. Enumerable.Repeat(1, 50)]), Is.EqualTo(reference), "decode");

        float[] Attended(int threads, int[] counts)
        {
            using var ops = Backend(threads, width, cacheType);
            using var cache = ops.NewKvCache(1, 1, tokens, heads);
            var (result, start) = (new List<float>(), 0);
            foreach (var count in counts)
            {
                using var scope = ops.Scope();
                var rows = Put(ops, qkv[(start * rowFloats)..((start + count) * rowFloats)], count);
                result.AddRange(Read(ops,
                    ops.Attend(rows, cache, 0, new RaggedBatch { Slots = [0], Starts = [start], Counts = [count] }, heads)));
                start += count;
            }
            return [.. result];
        }
    }

    /// <summary>Rows are computed by six, four, two and one: each count of heads in a group has tiles of its own.</summary>
    [Test]
    public void AttentionGivesEqualBitsInEveryTile([ValueSource(nameof(Widths))] VectorWidth width,
        [Values(1, 2, 3, 5, 6, 7, 8, 11)] int group, [Values(DType.F32, DType.BF16)] DType cacheType)
    {
        const int tokens = 270, dimension = 80;
        var heads = new AttentionHeads(2 * group, 2, dimension, [.. Enumerable.Range(0, dimension / 2).Select(i => 1f / (i + 1))]);
        var rowFloats = 2 * (group + 2) * dimension;
        var qkv = Values(tokens * rowFloats, group);
        using var ops = Backend(2, width, cacheType);
        using var cache = ops.NewKvCache(1, 2, tokens, heads);
        var whole = Attended(0, 0, tokens);
        Attended(1, 0, 250);
        for (var t = 250; t < tokens; t++)
            Assert.That(Attended(1, t, 1), Is.EqualTo(whole.AsSpan(t * 2 * group * dimension, 2 * group * dimension).ToArray()),
                $"token {t}");

        float[] Attended(int slot, int start, int count)
        {
            using var scope = ops.Scope();
            var rows = Put(ops, qkv[(start * rowFloats)..((start + count) * rowFloats)], count);
            return Read(ops, ops.Attend(rows, cache, 0, new RaggedBatch { Slots = [slot], Starts = [start], Counts = [count] }, heads));
        }
    }

    [Test]
    public void EqualLogitsAndNumbersDrawEqualTokensInEveryWidthAndForEveryNumberOfThreads([Values(1.5f, 4f)] float spread)
    {
        const int rows = 40, vocabulary = 5003;
        var logits = Array.ConvertAll(Values(rows * vocabulary, 4), v => v * spread * 3);
        var uniforms = Array.ConvertAll(Values(rows, 5), v => (double)v * 0.5 + 0.5);
        var history = Enumerable.Range(0, rows).Select(r => (IReadOnlyList<int>)[r, 2 * r, 7]).ToArray();
        var sampling = new SamplingParameters(0.8f, 900, 0.95f, 1.1f);
        int[]? reference = null;
        foreach (var width in Widths)
            foreach (var threads in new[] { 1, 3 })
            {
                using var ops = Backend(threads, width);
                var tokens = ops.Sample(Put(ops, logits, rows), sampling, uniforms, history);
                reference ??= tokens;
                Assert.That(tokens, Is.EqualTo(reference), $"{width}, {threads} threads");
            }
    }

    [Test]
    public void LoadRefusesFloat16ThatIsNotFinite([Values(float.PositiveInfinity, float.NaN)] float bad)
    {
        using var ops = Backend(2, VectorWidths.Widest);
        var values = Values(70 * 33, 6);
        values[50 * 33 + 4] = bad;
        Assert.That(() => ops.LoadWeight([MemorySlice.Of(values, 70, DType.F16)], DType.F16),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
                "test: the value at row 50, column 4 is not a finite float16; the checkpoint is damaged"));
    }

    [Test]
    public void LoadRefusesWhatDoesNotFitFloat16()
    {
        using var ops = Backend(1, VectorWidths.Widest);
        Assert.That(() => ops.LoadWeight([MemorySlice.Of([1, 70000], 1, DType.BF16)], DType.F16),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
                "test: the value at row 0, column 1 is not a finite float16; use dtype bf16 or f32"));
    }

    [Test]
    public void TheFactoryChoosesThreadsAndRefusesNegativeOnes()
    {
        var factory = new CpuBackendFactory();
        Assert.That(factory.Name, Is.EqualTo("cpu"));
        var cores = Environment.ProcessorCount;
        foreach (var (asked, ranks, expected) in new[] { (0, 1, cores), (0, 2, Math.Max(1, cores / 2)), (0, 1000, 1), (3, 1, 3) })
        {
            using var ops = factory.Create(new BackendOptions(asked, 0, ranks, DType.F32));
            Assert.That(ops.Device, Does.Contain(expected == 1 ? ", 1 thread, " : $", {expected} threads, "),
                $"{asked} threads asked, {ranks} ranks");
            Assert.That(ops.Device, Does.EndWith(VectorWidths.Widest.Label()));
        }
        Assert.That(() => factory.Create(new BackendOptions(-1, 0, 1, DType.F32)),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("-1"));
    }

    [Test]
    public void LocalRanksKeepToCoresOfTheirOwnAndGiveThemBack()
    {
        var before = HostCpu.AffinityMask();
        if (before.Length < 2) Assert.Ignore("this machine shows no two cores to share out: not run");
        var seen = new List<int>();
        for (var rank = 0; rank < 2; rank++)
            using (new CpuBackend(new BackendOptions(1, rank, 2, DType.F32))) seen.AddRange(HostCpu.AffinityMask());
        Assert.That(seen, Is.EqualTo(before[..2]));
        Assert.That(HostCpu.AffinityMask(), Is.EqualTo(before));
    }

    [Test]
    public void ATensorDiesWithItsScope()
    {
        using var ops = Backend(1, VectorWidths.Widest);
        Tensor x;
        using (ops.Scope()) x = ops.NewTensor(2, 3);
        Assert.That(() => Read(ops, x), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void ACacheTakesNoMemoryBeforeItIsUsed()
    {
        using var ops = Backend(1, VectorWidths.Widest);
        var before = Environment.WorkingSet;
        using var cache = ops.NewKvCache(32, 64, 4096, new AttentionHeads(32, 32, 128, new float[64]));
        Assert.That(cache.Bytes, Is.EqualTo(2L * 32 * 64 * 4096 * 32 * 128 * sizeof(float)), "256 GiB");
        Assert.That(Environment.WorkingSet - before, Is.LessThan(1L << 30));
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        using var ops = Backend(1, VectorWidths.Widest);
        var x = ops.NewTensor(2, 30);
        var weight = ops.LoadWeight([MemorySlice.Of(new float[4 * 31], 4, DType.F32)], DType.F32);
        Assert.That(() => ops.Linear(x, weight), Throws.ArgumentException.With.Message.Contains("30").And.Message.Contains("31"));
        Assert.That(() => ops.Add(x, ops.NewTensor(2, 31)), Throws.ArgumentException);
        Assert.That(() => ops.SelectRows(x, [2]), Throws.ArgumentException);
        using var cache = ops.NewKvCache(1, 1, 8, s_heads);
        Assert.That(() => ops.Attend(ops.NewTensor(2, 12 * 64), cache, 0, new RaggedBatch { Slots = [0], Starts = [7], Counts = [2] },
            s_heads),
            Throws.ArgumentException.With.Message.Contains("8"));
    }

    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    private static Tensor Put(CpuBackend ops, float[] values, int rows)
    {
        var x = ops.NewTensor(rows, values.Length / rows);
        ops.WriteHost(x, values);
        return x;
    }

    private static float[] Read(CpuBackend ops, Tensor x)
    {
        var values = new float[x.Rows * x.Columns];
        ops.ReadHost(x, values);
        return values;
    }
}
