using Harness.Tensors;
using Harness.Tests.Contracts;
using Harness.TorchSharp;

namespace Harness.Tests.TorchSharp;

/// <summary>What the contract cannot see: launches, memory, 16-bit activations, and what is said when memory runs out.</summary>
internal sealed class TorchOperationTests
{
    private static readonly AttentionHeads s_heads =
        new(4, 2, 16, [.. Enumerable.Range(0, 8).Select(i => (float)Math.Pow(10000, -i / 8.0))]);

    private readonly Random _random = new(3);

    /// <summary>Launches of an attention call do not grow with the sequences, whatever their lengths; nor with a prompt's.</summary>
    [TestCase(2, 16)]
    [TestCase(3, 50)]
    public void ARaggedDecodeStepLaunchesAsMuchForManySequencesAsForFew(int few, int many)
    {
        using var ops = Backend();
        Assert.That(Launched(ops, Decode(many)), Is.EqualTo(Launched(ops, Decode(few))));

        static RaggedBatch Decode(int sequences) => Batch([.. Enumerable.Range(0, sequences).Select(i => (i, 3 + i * 7 % 40, 1))]);
    }

    [Test]
    public void LaunchesOfAPrefillGrowAsTheLogarithmOfThePromptsLengths()
    {
        using var ops = Backend();
        var one = Launched(ops, Batch((0, 0, 60)));
        var many = Launched(ops, Batch([.. Enumerable.Range(0, 50).Select(i => (i, 0, 2 + i))]));
        // Lengths of 2 to 51 tokens have 2 to 6 binary digits.
        Assert.That(many, Is.LessThanOrEqualTo(5 * one));
    }

    [TestCase(DType.BF16, 8)]
    [TestCase(DType.F16, 11)]
    public void SixteenBitOperationsAreWithinTheirRoundingOfFloat32(DType type, int bits)
    {
        using var exact = Backend();
        using var ops = new TorchBackend(TorchLibrary.Loaded, new BackendOptions(1, 0, 1, type));
        var width = (s_heads.Queries + 2 * s_heads.KeyValues) * s_heads.Dimension;
        RaggedBatch[] passes =
            [Batch((0, 0, 9), (1, 0, 5), (2, 0, 33)), Batch((0, 9, 1), (1, 5, 1), (2, 33, 1)), Batch((1, 6, 4), (2, 34, 1))];
        using KvCache expectedCache = exact.NewKvCache(1, 3, 64, s_heads), cache = ops.NewKvCache(1, 3, 64, s_heads);
        foreach (var batch in passes)
        {
            var qkv = Values(batch.Rows, width, type);
            Same(o => o.Attend(Put(o, qkv), o == ops ? cache : expectedCache, 0, batch, s_heads), "attention");
        }
        float[,] x = Values(5, 64, type), w = Values(24, 64, type), gain = Values(1, 64, type), gateUp = Values(5, 2 * 24, type);
        Same(o => o.Linear(Put(o, x), Load(o, w, type)), "linear");
        Same(o => o.RmsNorm(Put(o, x), Load(o, gain, DType.F32), 1e-5f), "norm");
        Same(o => o.SwiGlu(Put(o, gateUp)), "swiglu");
        Same(o => o.Embed(Load(o, w, type), 10, [12, 9, 33, 34]), "embedding");

        void Same(Func<TorchBackend, Tensor> operation, string what)
        {
            using IDisposable scope = ops.Scope(), exactScope = exact.Scope();
            Tensor y = operation(ops), z = operation(exact);
            float[] actual = new float[y.Rows * y.Columns], expected = new float[actual.Length];
            ops.ReadHost(y, actual);
            exact.ReadHost(z, expected);
            var largest = expected.Max(Math.Abs);
            var error = actual.Zip(expected).Max(pair => Math.Abs(pair.First - pair.Second));
            // Half a unit in the last place of the result, and as much for what was rounded on the way.
            Assert.That(error, Is.LessThanOrEqualTo(2 * largest * Math.Pow(2, -bits)), what);
            Assert.That(largest, Is.Positive, what);
        }
    }

    /// <summary>
    /// Ten thousand decode steps of a tiny model: a tensor that no scope owned, once a step, would show in libtorch's count.
    /// </summary>
    [Test]
    public void TenThousandDecodeStepsLeaveNothingBehind()
    {
        const int capacity = 64, steps = 10_000;
        using var ops = Backend();
        using var cache = ops.NewKvCache(1, 4, capacity, s_heads);
        var (qkv, table) = (Load(ops, Values(128, 64, DType.F32), DType.F32), Load(ops, Values(50, 64, DType.F32), DType.F32));
        var gain = Load(ops, Values(1, 64, DType.F32), DType.F32);
        for (var step = 0; step < 500; step++) Step(step);
        var bytes = Resident();
        var tensors = Live();
        for (var step = 0; step < steps; step++) Step(step);
        // One tensor left by each step would be ten thousand; those of other tests may still be collected.
        Assert.That(Live(), Is.LessThanOrEqualTo(tensors));
        // The collector and the allocator breathe, for the tests before this one as well (17 MB were seen); 4 kB left by each step would be
        // 40 MB.
        Assert.That(Resident() - bytes, Is.LessThan(32_000_000));

        void Step(int step)
        {
            using var scope = ops.Scope();
            var position = step % capacity;
            var x = ops.Embed(table, 0, [1, 2, 3, 4]);
            var y = ops.Attend(ops.Linear(ops.RmsNorm(x, gain, 1e-5f), qkv), cache, 0,
                Batch((0, position, 1), (1, position / 2, 1), (2, position, 1), (3, 0, 1)), s_heads);
            ops.Add(x, y);
            ops.Sample(ops.Linear(x, table), new SamplingParameters(0.8f, 10, 0.9f, 1.1f), [0.1, 0.2, 0.3, 0.4], [[1], [2], [3], [4]]);
        }

        static long Live() => global::TorchSharp.torch.Tensor.TotalCount;

        static long Resident()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1],
                System.Globalization.CultureInfo.InvariantCulture) * Environment.SystemPageSize;
        }
    }

    [Test]
    public void MemoryThatIsNotThereIsNamedWithItsSize()
    {
        using var ops = Backend();
        Load(ops, Values(1000, 1000, DType.F32), DType.F32);
        var error = Assert.Throws<DeviceMemoryException>(() => ops.NewKvCache(1, 1 << 22, 1 << 20, s_heads))!;
        // 2^22 · 2^20 tokens · 2 heads · 16 features · 2 · 4 bytes.
        Assert.That(error.Message, Does.Contain("no room for 1125899.91 GB of key/value cache (4194304 sequences of 1048576 tokens)"));
        Assert.That(error.Message, Does.Contain("beside 0.00 GB of weights").And.Not.Contain("\n"));
    }

    [Test]
    public void GradientsAreNotRecordedOnWhicheverThreadARankRuns()
    {
        var recorded = true;
        var thread = new Thread(() =>
        {
            using var ops = Backend();
            recorded = global::TorchSharp.torch.is_grad_enabled();
        });
        thread.Start();
        thread.Join();
        Assert.That(recorded, Is.False);
    }

    private static TorchBackend Backend() => new(TorchLibrary.Loaded, new BackendOptions(1, 0, 1, DType.F32));

    private long Launched(TorchBackend ops, RaggedBatch batch)
    {
        using var scope = ops.Scope();
        using var cache = ops.NewKvCache(1, batch.Slots.Max() + 1, 128, s_heads);
        var qkv = Put(ops, Values(batch.Rows, (s_heads.Queries + 2 * s_heads.KeyValues) * s_heads.Dimension, DType.F32));
        var before = ops.OperationsIssued;
        ops.Attend(qkv, cache, 0, batch, s_heads);
        return ops.OperationsIssued - before;
    }

    private static RaggedBatch Batch(params (int Slot, int Start, int Count)[] parts) =>
        new()
        {
            Slots = [.. parts.Select(p => p.Slot)],
            Starts = [.. parts.Select(p => p.Start)],
            Counts = [.. parts.Select(p => p.Count)]
        };

    /// <summary>Values that the type represents exactly.</summary>
    private float[,] Values(int rows, int columns, DType type)
    {
        var values = new float[rows, columns];
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < columns; c++) values[r, c] = (float)MemorySlice.Stored((float)(_random.NextDouble() * 2 - 1), type);
        return values;
    }

    private static Tensor Put(TorchBackend ops, float[,] values)
    {
        var x = ops.NewTensor(values.GetLength(0), values.GetLength(1));
        ops.WriteHost(x, [.. values.Cast<float>()]);
        return x;
    }

    private static Weight Load(TorchBackend ops, float[,] values, DType type) =>
        ops.LoadWeight([MemorySlice.Of([.. values.Cast<float>()], values.GetLength(0), type)], type);
}
