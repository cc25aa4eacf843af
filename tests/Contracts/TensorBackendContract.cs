using Harness.Tensors;

namespace Harness.Tests.Contracts;

/// <summary>
/// What every tensor backend must compute. References are float64 loops written from the definitions; values leave a
/// backend by ReadHost alone. An error is measured against the sum of the magnitudes that were added up.
/// </summary>
public abstract class TensorBackendContract
{
    private ITensorBackend? _ops;
    private Random _random = new(1);

    protected abstract ITensorBackend NewBackend();

    /// <summary>Largest allowed |error| / Σ |terms|.</summary>
    protected virtual double Tolerance => 2e-6;

    /// <summary>Element types that the backend can keep weights in.</summary>
    protected virtual IReadOnlyList<DType> Storages => [DType.F32, DType.BF16, DType.F16];

    protected ITensorBackend Ops => _ops ??= NewBackend();

    [SetUp]
    public void Start() => _random = new Random(20260101);

    [TearDown]
    public void End()
    {
        _ops?.Dispose();
        _ops = null;
    }

    // ---------------------------------------------------------------- host copies and lifetime

    [Test]
    public void HostCopiesKeepEveryBitThatFloat32Needs()
    {
        var values = Normal(7 * 13);
        Assert.That(Read(Put(values, 7)), Is.EqualTo(values));
    }

    [Test]
    public void TensorsOfAnOuterScopeOutliveAnInnerOne()
    {
        using var outer = Ops.Scope();
        var values = Normal(5 * 64);
        var x = Put(values, 5);
        for (var i = 0; i < 3; i++)
        {
            using var inner = Ops.Scope();
            var y = Put(Normal(5 * 64), 5);
            Ops.Add(y, x);
        }
        Assert.That(Read(x), Is.EqualTo(values));
    }

    [Test]
    public void NamesItself()
    {
        Assert.That(Ops.Name, Is.Not.Empty);
        Assert.That(Ops.Device, Is.Not.Empty);
        Ops.Synchronize();
    }

    // ---------------------------------------------------------------- embedding, norm, activation, sum, selection

    [Test]
    public void EmbedLooksUpItsShareOfTheVocabularyAndLeavesZerosElsewhere([Values(1, 24, 80)] int hidden)
    {
        foreach (var storage in Storages)
        {
            using var scope = Ops.Scope();
            float[] first = Normal(6 * hidden), second = Normal(5 * hidden);
            var table = Ops.LoadWeight([MemorySlice.Of(first, 6, storage), MemorySlice.Of(second, 5, storage)], storage);
            int[] tokens = [100, 110, 99, 111, 105, 106, 100, int.MaxValue, 0];
            var y = Read(Ops.Embed(table, 100, tokens));
            for (var i = 0; i < tokens.Length; i++)
                for (var c = 0; c < hidden; c++)
                {
                    var row = tokens[i] - 100L;
                    var expected = row is < 0 or >= 11 ? 0
                        : MemorySlice.Stored(row < 6 ? first[row * hidden + c] : second[(row - 6) * hidden + c], storage);
                    Near(y[i * hidden + c], expected, Math.Abs(expected), $"{storage} token {tokens[i]} column {c}");
                }
        }
    }

    [Test]
    public void RmsNormDividesByTheRootOfTheMeanSquare([Values(1, 8, 22, 64, 172, 2048)] int columns, [Values(1, 3, 70)] int rows)
    {
        using var scope = Ops.Scope();
        float[] x = Normal(rows * columns, 3), gain = Normal(columns);
        const float epsilon = 1e-5f;
        var y = Read(Ops.RmsNorm(Put(x, rows), Ops.LoadWeight([MemorySlice.Of(gain, 1, DType.F32)], DType.F32), epsilon));
        for (var r = 0; r < rows; r++)
        {
            var square = 0.0;
            for (var c = 0; c < columns; c++) square += (double)x[r * columns + c] * x[r * columns + c];
            for (var c = 0; c < columns; c++)
            {
                var expected = x[r * columns + c] / Math.Sqrt(square / columns + epsilon) * gain[c];
                Near(y[r * columns + c], expected, Math.Abs(expected), $"row {r} column {c}");
            }
        }
    }

    [Test]
    public void RmsNormTakesItsGainInEveryStorage()
    {
        foreach (var storage in Storages)
        {
            using var scope = Ops.Scope();
            var gain = Normal(24);
            var ones = Enumerable.Repeat(1f, 24).ToArray();
            var y = Read(Ops.RmsNorm(Put(ones, 1), Ops.LoadWeight([MemorySlice.Of(gain, 1, storage)], storage), 0));
            for (var c = 0; c < 24; c++) Near(y[c], MemorySlice.Stored(gain[c], storage), 1, $"{storage} column {c}");
        }
    }

    [Test]
    public void SwiGluIsSiluOfTheGateTimesUp([Values(1, 7, 86, 5632)] int width, [Values(1, 3)] int rows)
    {
        using var scope = Ops.Scope();
        var x = Normal(rows * 2 * width, 4);
        var y = Read(Ops.SwiGlu(Put(x, rows)));
        for (var r = 0; r < rows; r++)
            for (var c = 0; c < width; c++)
            {
                double gate = x[r * 2 * width + c], up = x[r * 2 * width + width + c];
                var expected = gate / (1 + Math.Exp(-gate)) * up;
                Near(y[r * width + c], expected, Math.Abs(expected), $"row {r} column {c}");
            }
    }

    [Test]
    public void SwiGluStaysFiniteForGatesOfAnySize()
    {
        using var scope = Ops.Scope();
        float[] gates = [0, 1e-30f, 20, 88, 89, 104, 1000, -20, -80, -87, -88, -89, -103, -104, -1000];
        var up = Enumerable.Repeat(2f, gates.Length);
        var y = Read(Ops.SwiGlu(Put([.. gates, .. up], 1)));
        for (var c = 0; c < gates.Length; c++)
        {
            var expected = gates[c] / (1 + Math.Exp(-(double)gates[c])) * 2;
            Near(y[c], expected, Math.Max(Math.Abs(expected), 1e-30), $"gate {gates[c]}");
        }
    }

    [Test]
    public void AddSumsInPlace([Values(1, 5, 16, 100_003)] int columns)
    {
        using var scope = Ops.Scope();
        float[] x = Normal(2 * columns), y = Normal(2 * columns);
        Tensor a = Put(x, 2), b = Put(y, 2);
        Ops.Add(a, b);
        var sum = Read(a);
        for (var i = 0; i < x.Length; i++) Near(sum[i], (double)x[i] + y[i], Math.Abs(x[i]) + Math.Abs(y[i]), $"element {i}");
        Assert.That(Read(b), Is.EqualTo(y), "the second operand is only read");
    }

    [Test]
    public void SelectRowsTakesRowsInTheOrderAsked()
    {
        using var scope = Ops.Scope();
        var x = Normal(6 * 9);
        int[] rows = [5, 0, 0, 3];
        Assert.That(Read(Ops.SelectRows(Put(x, 6), rows)), Is.EqualTo(rows.SelectMany(r => x[(r * 9)..(r * 9 + 9)]).ToArray()));
    }

    // ---------------------------------------------------------------- matrix product

    [Test]
    public void LinearMultipliesByTheTranspose(
        [Values(1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 65, 130)] int rows, [Values(1, 7, 8, 22, 64, 172, 301)] int inputs)
    {
        foreach (var storage in Storages)
            foreach (var outputs in new[] { 1, 5, 24, 83 })
                CheckLinear(rows, inputs, [outputs], storage, $"{storage} [{rows}, {inputs}] x [{outputs}, {inputs}]");
    }

    [Test]
    public void LinearTreatsStackedPartsAsOneWeight([Values(1, 3, 20, 33)] int rows)
    {
        foreach (var storage in Storages)
            CheckLinear(rows, 96, [33, 7, 1, 40], storage, $"{storage} {rows} rows");
    }

    [Test]
    public void LinearSumsManyInputs([Values(1, 4, 12, 48)] int rows)
    {
        foreach (var storage in Storages)
            CheckLinear(rows, 5632, [27], storage, $"{storage} {rows} rows");
    }

    [Test]
    public void LinearReadsRowsOfEveryTypeAndStride([Values(0, 3)] int padding)
    {
        foreach (var stored in (DType[])[DType.F32, DType.BF16, DType.F16])
            foreach (var storage in Storages)
            {
                using var scope = Ops.Scope();
                float[] x = Normal(2 * 70), w = Normal(19 * 70);
                var weight = Ops.LoadWeight([MemorySlice.Of(w, 19, stored, padding)], storage);
                Assert.That((weight.DType, weight.Outputs, weight.Inputs), Is.EqualTo((storage, 19, 70)));
                Assert.That(weight.ResidentBytes, Is.EqualTo(19 * 70 * storage.Bytes()));
                var kept = Array.ConvertAll(w, v => MemorySlice.Stored((float)MemorySlice.Stored(v, stored), storage));
                Compare(Read(Ops.Linear(Put(x, 2), weight)), x, kept, 2, 70, 19, $"{stored} kept as {storage}");
            }
    }

    [Test]
    public void LinearHonoursSubnormalWeights([Values(1, 20)] int rows)
    {
        foreach (var storage in Storages)
        {
            using var scope = Ops.Scope();
            // Down to the smallest float16, 2^-24, and its neighbours around the smallest normal one, 2^-14.
            var w = Enumerable.Range(0, 2 * 40).Select(i => (float)((i % 3 - 1) * (1 + i) * Math.Pow(2, i < 40 ? -24 : -15))).ToArray();
            var x = Normal(rows * 40, 1e5f);
            var kept = Array.ConvertAll(w, v => MemorySlice.Stored(v, storage));
            var y = Read(Ops.Linear(Put(x, rows), Ops.LoadWeight([MemorySlice.Of(w, 2, storage)], storage)));
            Compare(y, x, kept, rows, 40, 2, $"{storage}");
        }
    }

    [Test]
    public void LinearTakesActivationsOfAnySizeThatModelsHave([Values(1e-9f, 1e9f)] float size, [Values(1, 3, 5, 20)] int rows)
    {
        foreach (var storage in Storages)
        {
            using var scope = Ops.Scope();
            float[] x = Normal(rows * 70, size), w = Normal(19 * 70);
            var kept = Array.ConvertAll(w, v => MemorySlice.Stored(v, storage));
            Compare(Read(Ops.Linear(Put(x, rows), Ops.LoadWeight([MemorySlice.Of(w, 19, storage)], storage))), x, kept, rows, 70, 19,
                $"{storage}");
        }
    }

    [Test]
    public void LinearOfARowDoesNotHangOnItsCompany()
    {
        foreach (var storage in Storages)
        {
            using var scope = Ops.Scope();
            float[] x = Normal(70 * 128), w = Normal(65 * 128);
            var weight = Ops.LoadWeight([MemorySlice.Of(w, 65, storage)], storage);
            var alone = Read(Ops.Linear(Put(x[..128], 1), weight));
            foreach (var rows in new[] { 2, 3, 8, 16, 33, 70 })
            {
                var together = Read(Ops.Linear(Put(x[..(rows * 128)], rows), weight));
                for (var o = 0; o < 65; o++) Near(together[o], alone[o], 128, $"{storage} {rows} rows output {o}");
            }
        }
    }

    [Test]
    public void LinearAddsItsBiasToEveryRow([Values(1, 3, 20, 700)] int rows)
    {
        using var scope = Ops.Scope();
        float[] x = Normal(rows * 24), w = Normal(33 * 24), first = Normal(20), second = Normal(13);
        var weight = Ops.LoadWeight([MemorySlice.Of(w, 33, DType.F32)], DType.F32);
        var bias = Ops.LoadWeight([MemorySlice.Of(first, 20, DType.F32), MemorySlice.Of(second, 13, DType.F32)], DType.F32);
        float[] added = [.. first, .. second];
        for (var repeat = 0; repeat < 2; repeat++)
        {
            var y = Read(Ops.Linear(Put(x, rows), weight, bias));
            for (var r = 0; r < rows; r++)
                for (var o = 0; o < 33; o++)
                {
                    double sum = added[o], magnitude = Math.Abs(added[o]);
                    for (var i = 0; i < 24; i++)
                    {
                        sum += (double)x[r * 24 + i] * w[o * 24 + i];
                        magnitude += Math.Abs((double)x[r * 24 + i] * w[o * 24 + i]);
                    }
                    Near(y[r * 33 + o], sum, magnitude, $"row {r} output {o}");
                }
        }
    }

    [Test]
    public void NormHeadsNormsEachQueryAndEachKeyByItself([Values(1, 3, 70)] int rows)
    {
        foreach (var heads in s_shapes)
        {
            using var scope = Ops.Scope();
            var (d, normed) = (heads.Dimension, heads.Queries + heads.KeyValues);
            var width = (normed + heads.KeyValues) * d;
            float[] x = Normal(rows * width, 3), queryGain = Normal(d), keyGain = Normal(d);
            const float epsilon = 1e-6f;
            var qkv = Put(x, rows);
            Ops.NormHeads(qkv, Ops.LoadWeight([MemorySlice.Of(queryGain, 1, DType.F32)], DType.F32),
                Ops.LoadWeight([MemorySlice.Of(keyGain, 1, DType.F32)], DType.F32), heads, epsilon);
            var y = Read(qkv);
            for (var i = 0; i < y.Length; i++)
            {
                var (head, c) = (i % width / d, i % d);
                var squares = Enumerable.Range(i - c, d).Sum(k => (double)x[k] * x[k]);
                var expected = head >= normed ? x[i]
                    : x[i] / Math.Sqrt(squares / d + epsilon) * (head < heads.Queries ? queryGain : keyGain)[c];
                Near(y[i], expected, Math.Abs(expected), $"{heads} row {i / width} head {head} feature {c}");
            }
        }
    }

    private void CheckLinear(int rows, int inputs, int[] parts, DType storage, string what)
    {
        using var scope = Ops.Scope();
        var x = Normal(rows * inputs);
        var slices = parts.Select(n => (Values: Normal(n * inputs), Rows: n)).ToArray();
        var weight = Ops.LoadWeight([.. slices.Select(s => MemorySlice.Of(s.Values, s.Rows, storage))], storage);
        var kept = slices.SelectMany(s => s.Values).Select(v => MemorySlice.Stored(v, storage)).ToArray();
        Compare(Read(Ops.Linear(Put(x, rows), weight)), x, kept, rows, inputs, parts.Sum(), what);
    }

    private void Compare(float[] y, float[] x, double[] w, int rows, int inputs, int outputs, string what)
    {
        Assert.That(y, Has.Length.EqualTo(rows * outputs), what);
        for (var r = 0; r < rows; r++)
            for (var o = 0; o < outputs; o++)
            {
                double sum = 0, magnitude = 0;
                for (var i = 0; i < inputs; i++)
                {
                    var term = x[r * inputs + i] * w[o * inputs + i];
                    sum += term;
                    magnitude += Math.Abs(term);
                }
                Near(y[r * outputs + o], sum, magnitude, $"{what} row {r} output {o}");
            }
    }

    // ---------------------------------------------------------------- attention

    private static readonly AttentionHeads[] s_shapes =
    [
        new(4, 4, 8, Frequencies(8)), new(8, 4, 8, Frequencies(8)), new(6, 2, 16, Frequencies(16)), new(8, 1, 64, Frequencies(64)),
        new(32, 4, 64, Frequencies(64)), new(5, 5, 80, Frequencies(80)), new(8, 2, 128, Frequencies(128)), new(3, 1, 2, Frequencies(2)),
        new(14, 2, 10, Frequencies(10)),
    ];

    [TestCaseSource(nameof(s_shapes))]
    public void AttendMatchesTheDefinitionThroughPrefillAndDecode(AttentionHeads heads)
    {
        CheckAttention(heads, 300,
            [Batch((0, 0, 37), (2, 0, 5)), Batch((0, 37, 1), (2, 5, 1)), Batch((2, 6, 9), (1, 0, 20), (0, 38, 1)), Batch((1, 20, 40)),
                Batch((0, 39, 1), (1, 60, 1), (2, 15, 1))]);
    }

    [Test]
    public void AttendHonoursASlidingWindow([Values(1, 4, 17, 64, 1000)] int window)
    {
        foreach (var heads in new[] { s_shapes[1], s_shapes[3], s_shapes[5] })
            CheckAttention(heads with { Window = window }, 200,
                [Batch((0, 0, 90), (1, 0, 3)), Batch((0, 90, 1), (1, 3, 1)), Batch((0, 91, 30)), Batch((0, 121, 1))]);
    }

    [Test]
    public void AttendBeginsANewSequenceInAUsedSlot()
    {
        CheckAttention(s_shapes[3], 100, [Batch((0, 0, 80)), Batch((0, 80, 1)), Batch((0, 0, 6)), Batch((0, 6, 1)), Batch((0, 3, 2))]);
    }

    [Test]
    public void AttendReachesOverALongContext()
    {
        CheckAttention(s_shapes[3], 3000, [Batch((0, 0, 1500)), Batch((0, 1500, 1)), Batch((0, 1501, 3))], layers: 1);
    }

    [Test]
    public void AttendSurvivesScoresBeyondTheRangeOfExp()
    {
        CheckAttention(s_shapes[3], 200, [Batch((0, 0, 150)), Batch((0, 150, 1))], scale: 30);
    }

    [Test]
    public void AttendLeavesItsInputAlone()
    {
        using var scope = Ops.Scope();
        var heads = s_shapes[2];
        using var cache = Ops.NewKvCache(1, 1, 16, heads);
        var values = Normal(5 * Width(heads));
        var qkv = Put(values, 5);
        Ops.Attend(qkv, cache, 0, Batch((0, 0, 5)), heads);
        Assert.That(Read(qkv), Is.EqualTo(values));
    }

    [Test]
    public void ACacheKnowsItsMeasure()
    {
        using var cache = Ops.NewKvCache(3, 2, 40, s_shapes[0]);
        Assert.That((cache.Layers, cache.Slots, cache.Capacity), Is.EqualTo((3, 2, 40)));
        Assert.That(cache.Bytes, Is.GreaterThanOrEqualTo(2L * 3 * 2 * 40 * 4 * 8 * 2), "keys and values, at least 16 bits each");
    }

    private static float[] Frequencies(int dimension) =>
        [.. Enumerable.Range(0, dimension / 2).Select(i => (float)Math.Pow(10000, -2.0 * i / dimension))];

    private static int Width(AttentionHeads heads) => (heads.Queries + 2 * heads.KeyValues) * heads.Dimension;

    private static RaggedBatch Batch(params (int Slot, int Start, int Count)[] parts) => new()
    {
        Slots = [.. parts.Select(p => p.Slot)],
        Starts = [.. parts.Select(p => p.Start)],
        Counts = [.. parts.Select(p => p.Count)],
    };

    private void CheckAttention(AttentionHeads heads, int capacity, RaggedBatch[] passes, int layers = 2, float scale = 1)
    {
        using var cache = Ops.NewKvCache(layers, 3, capacity, heads);
        var (width, d) = (Width(heads), heads.Dimension);
        var past = new Dictionary<(int Layer, int Slot, int Position), double[]>();
        foreach (var batch in passes)
            for (var layer = 0; layer < layers; layer++)
            {
                using var scope = Ops.Scope();
                var qkv = Normal(batch.Rows * width, scale);
                var y = Read(Ops.Attend(Put(qkv, batch.Rows), cache, layer, batch, heads));
                var row = 0;
                for (var s = 0; s < batch.Sequences; s++)
                    for (var i = 0; i < batch.Counts[s]; i++, row++)
                    {
                        var position = batch.Starts[s] + i;
                        var rotated = Rotated(qkv.AsSpan(row * width, width), position, heads);
                        past[(layer, batch.Slots[s], position)] = rotated;
                        // Every row of a short pass; of a long one some, since the reference is slow.
                        if (batch.Counts[s] > 200 && i % 97 != 0 && i != batch.Counts[s] - 1) continue;
                        for (var head = 0; head < heads.Queries; head++)
                        {
                            var (expected, magnitude) = Attended(rotated, p => past[(layer, batch.Slots[s], p)], position, head, heads);
                            for (var f = 0; f < d; f++)
                                Near(y[(row * heads.Queries + head) * d + f], expected[f], magnitude[f] * Math.Max(1, scale * scale),
                                    $"layer {layer} sequence {s} position {position} head {head} feature {f}");
                        }
                    }
            }
    }

    /// <summary>One row of queries, keys and values with queries and keys turned: pair (f, f + d/2) by position · frequency f.</summary>
    private static double[] Rotated(ReadOnlySpan<float> row, int position, AttentionHeads heads)
    {
        var (result, half) = (new double[row.Length], heads.Dimension / 2);
        for (var i = 0; i < row.Length; i++) result[i] = row[i];
        for (var head = 0; head < heads.Queries + heads.KeyValues; head++)
            for (var f = 0; f < half; f++)
            {
                var (sin, cos) = Math.SinCos((double)position * heads.Frequencies[f]);
                double a = row[head * heads.Dimension + f], b = row[head * heads.Dimension + half + f];
                result[head * heads.Dimension + f] = a * cos - b * sin;
                result[head * heads.Dimension + half + f] = b * cos + a * sin;
            }
        return result;
    }

    private static (double[] Sum, double[] Magnitude) Attended(double[] query, Func<int, double[]> past, int position, int head,
        AttentionHeads heads)
    {
        var (d, first) = (heads.Dimension, heads.Window > 0 ? Math.Max(0, position - heads.Window + 1) : 0);
        var keyHead = head * heads.KeyValues / heads.Queries;
        var scores = new double[position + 1 - first];
        for (var t = first; t <= position; t++)
        {
            var key = past(t).AsSpan((heads.Queries + keyHead) * d, d);
            for (var f = 0; f < d; f++) scores[t - first] += query[head * d + f] * key[f];
            scores[t - first] /= Math.Sqrt(d);
        }
        var weights = Array.ConvertAll(scores, s => Math.Exp(s - scores.Max()));
        var total = weights.Sum();
        double[] sum = new double[d], magnitude = new double[d];
        for (var t = first; t <= position; t++)
            for (var f = 0; f < d; f++)
            {
                var term = weights[t - first] / total * past(t)[(heads.Queries + heads.KeyValues + keyHead) * d + f];
                sum[f] += term;
                // A score's own rounding grows with d and moves every weight.
                magnitude[f] += Math.Abs(term) * Math.Sqrt(d);
            }
        return (sum, magnitude);
    }

    // ---------------------------------------------------------------- choosing tokens

    [Test]
    public void ArgMaxTakesTheLowestColumnAmongEquals([Values(1, 3, 16, 17, 100, 32_003)] int columns)
    {
        using var scope = Ops.Scope();
        int[] firsts = [0, columns / 2, columns - 1, columns / 3];
        var logits = Normal(4 * columns);
        for (var r = 0; r < 4; r++)
            for (var c = firsts[r]; c < columns; c += 7) logits[r * columns + c] = 50 + r;
        var (values, found) = (new float[4], new int[4]);
        Ops.ArgMax(Put(logits, 4), values, found);
        Assert.That(found, Is.EqualTo(firsts));
        Assert.That(values, Is.EqualTo(new float[] { 50, 51, 52, 53 }));
    }

    [Test]
    public void ArgMaxKnowsTheLowestNumbers()
    {
        using var scope = Ops.Scope();
        var (values, found) = (new float[2], new int[2]);
        const float low = float.MinValue;
        Ops.ArgMax(Put([low, low, -3e38f, low, low, low, low, low], 2), values, found);
        Assert.That(found, Is.EqualTo(new[] { 2, 0 }));
        Assert.That(values, Is.EqualTo(new[] { -3e38f, low }));
    }

    [Test]
    public void ArgMaxNamesWhatIsNotFinite(
        [Values(float.NaN, float.PositiveInfinity, float.NegativeInfinity)] float value, [Values(0, 77, 299)] int column)
    {
        using var scope = Ops.Scope();
        var logits = Normal(600);
        logits[300 + column] = value;
        Assert.That(() => Ops.ArgMax(Put(logits, 2), new float[2], new int[2]), Throws.TypeOf<NonFiniteLogitException>()
            .With.Message.StartsWith($"logit {column} of row 1 is {NonFiniteLogitException.Word(value)}: ")
            .And.Property(nameof(NonFiniteLogitException.Row)).EqualTo(1));
    }

    [Test]
    public void GreedySamplingIsArgMaxWhateverTheDraw([Values(3, 100, 32_003)] int vocabulary)
    {
        using var scope = Ops.Scope();
        var logits = Normal(3 * vocabulary);
        var best = Enumerable.Range(0, 3)
            .Select(r => Array.IndexOf(logits, logits[(r * vocabulary)..((r + 1) * vocabulary)].Max(), r * vocabulary) - r * vocabulary);
        Assert.That(Ops.Sample(Put(logits, 3), new SamplingParameters(), [0, 0.5, 0.999], NoHistory(3)), Is.EqualTo(best));
    }

    private static readonly SamplingParameters[] s_cuts =
    [
        new(1), new(0.8f, TopP: 0.95f), new(0.1f, TopP: 0.5f), new(2, TopK: 7), new(1.3f, TopK: 40, TopP: 0.7f), new(1, TopK: 1),
            new(1, TopP: 1e-6f),
        new(0.7f, TopK: 50, TopP: 0.9f, RepetitionPenalty: 1.3f), new(1, RepetitionPenalty: 0.5f), new(0, RepetitionPenalty: 5),
            new(5, TopP: 0.99f), new(1, TopK: 1_000_000),
    ];

    [TestCaseSource(nameof(s_cuts))]
    public void SamplingWalksTheKeptTokensInIndexOrder(SamplingParameters sampling)
    {
        foreach (var (vocabulary, spread) in new[] { (2, 1f), (50, 1f), (50, 5f), (5000, 1.5f), (32_003, 4f) })
        {
            var logits = Normal(vocabulary, spread);
            int[] history = [1, 0, 1, vocabulary - 1, Array.IndexOf(logits, logits.Max())];
            var weights = Distribution(logits, sampling, history, out var certain);
            if (!certain) continue;
            var total = weights.Sum();
            var (before, checkedTokens) = (0.0, 0);
            for (var token = 0; token < vocabulary; token++)
            {
                // The middle of a token's interval, where it is wide enough that rounding cannot leave it.
                if (weights[token] / total > 1e-4 && checkedTokens++ < 20)
                {
                    using var scope = Ops.Scope();
                    var u = (before + weights[token] / 2) / total;
                    Assert.That(Ops.Sample(Put(logits, 1), sampling, [u], [history]), Is.EqualTo(new[] { token }),
                        $"{vocabulary} tokens, spread {spread}, u {u}");
                }
                before += weights[token];
            }
            using var edge = Ops.Scope();
            var ends = Ops.Sample(Put([.. logits, .. logits], 2), sampling, [0, Math.BitDecrement(1.0)], [history, history]);
            Assert.That(weights[ends[0]], Is.Positive, "u = 0 draws a kept token");
            Assert.That(weights[ends[1]], Is.Positive, "the largest u below 1 draws a kept token");
        }
    }

    [Test]
    public void TopPNeverDrawsOutsideTheSmallestSetThatReachesIt()
    {
        // Probabilities 0.4, 0.3, 0.2, 0.1: 0.65 needs two tokens, 0.75 three.
        float[] logits = [MathF.Log(0.1f), MathF.Log(0.4f), MathF.Log(0.2f), MathF.Log(0.3f)];
        foreach (var (topP, kept) in new[] { (0.35f, new[] { 1 }), (0.65f, [1, 3]), (0.75f, [1, 2, 3]), (0.95f, [0, 1, 2, 3]) })
        {
            using var scope = Ops.Scope();
            var seen = new SortedSet<int>();
            for (var i = 0; i < 200; i++)
                seen.Add(Ops.Sample(Put(logits, 1), new SamplingParameters(1, TopP: topP), [i / 200.0], NoHistory(1))[0]);
            Assert.That(seen, Is.EqualTo(kept), $"top-p {topP}");
        }
    }

    [Test]
    public void TiesAtACutKeepTheLowestTokens()
    {
        var logits = new float[1000];
        using var scope = Ops.Scope();
        for (var i = 0; i < 100; i++)
        {
            Assert.That(Ops.Sample(Put(logits, 1), new SamplingParameters(1, TopK: 10), [i / 100.0], NoHistory(1))[0], Is.EqualTo(i / 10));
            Assert.That(Ops.Sample(Put(logits, 1), new SamplingParameters(1, TopP: 0.0995f), [i / 100.0 + 0.001], NoHistory(1))[0],
                Is.EqualTo(i));
        }
    }

    [Test]
    public void EachRowDrawsWithItsOwnNumberAndHistory()
    {
        using var scope = Ops.Scope();
        float[] row = [1, 1, 1, 1.01f];
        var tokens = Ops.Sample(Put([.. row, .. row, .. row], 3), new SamplingParameters(0, RepetitionPenalty: 2), [0, 0, 0],
            [[], [3], [3, 0, 1]]);
        Assert.That(tokens, Is.EqualTo(new[] { 3, 0, 2 }));
        tokens = Ops.Sample(Put([.. row, .. row, .. row], 3), new SamplingParameters(1), [0.1, 0.6, 0.9], NoHistory(3));
        Assert.That(tokens, Is.EqualTo(new[] { 0, 2, 3 }));
    }

    [Test]
    public void SamplingLeavesTheLogitsAlone()
    {
        using var scope = Ops.Scope();
        var logits = Normal(300);
        var x = Put(logits, 1);
        Ops.Sample(x, new SamplingParameters(0.5f, 20, 0.9f, 1.5f), [0.3], [[1, 2, 3]]);
        Assert.That(Read(x), Is.EqualTo(logits));
    }

    [Test]
    public void SamplingNamesWhatIsNotFinite([Values(0, 0.7f)] float temperature, [Values(0, 77, 299)] int column,
        [Values(float.NaN, float.PositiveInfinity, float.NegativeInfinity)] float value)
    {
        using var scope = Ops.Scope();
        var logits = Normal(300);
        logits[column] = value;
        Assert.That(() => Ops.Sample(Put(logits, 1), new SamplingParameters(temperature, TopP: 0.9f), [0.3], NoHistory(1)),
            Throws.TypeOf<NonFiniteLogitException>()
                .With.Message.StartsWith($"logit {column} of row 0 is {NonFiniteLogitException.Word(value)}: "));
    }

    private static IReadOnlyList<IReadOnlyList<int>> NoHistory(int rows) => [.. Enumerable.Repeat<int[]>([], rows)];

    /// <summary>
    /// Unnormalised probability of each token, 0 where it is cut off. <paramref name="certain"/> is false where a cut
    /// falls so close to a boundary that float32 may decide it otherwise.
    /// </summary>
    private static double[] Distribution(float[] logits, SamplingParameters sampling, int[] history, out bool certain)
    {
        var l = Array.ConvertAll(logits, v => (double)v);
        foreach (var token in history.Distinct()) l[token] = l[token] > 0 ? l[token] / sampling.RepetitionPenalty
            : l[token] * sampling.RepetitionPenalty;
        var order = Enumerable.Range(0, l.Length).OrderByDescending(i => l[i]).ThenBy(i => i).ToArray();
        var result = new double[l.Length];
        certain = true;
        if (sampling.Greedy)
        {
            result[order[0]] = 1;
            return result;
        }
        var kept = order.Take(sampling.TopK > 0 ? sampling.TopK : l.Length).ToArray();
        var weights = Array.ConvertAll(kept, i => Math.Exp((l[i] - l[order[0]]) / sampling.Temperature));
        var (total, sum) = (weights.Sum(), 0.0);
        for (var i = 0; i < kept.Length && (i == 0 || sampling.TopP >= 1 || sum < sampling.TopP * total); i++)
        {
            result[kept[i]] = weights[i];
            sum += weights[i];
        }
        // Tokens whose weight is far below the spacing of the drawn intervals may come or go unseen.
        var smallest = result.Where(w => w > 0).Min();
        if (sampling.TopP < 1 && Math.Abs(sum - sampling.TopP * total) < 1e-6 * total && smallest > 1e-5 * total) certain = false;
        return result;
    }

    // ---------------------------------------------------------------- helpers

    /// <summary>Normally distributed values, of a fixed seed for each test.</summary>
    protected float[] Normal(int count, float scale = 1)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
            values[i] = (float)(scale * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble()));
        return values;
    }

    protected Tensor Put(float[] values, int rows)
    {
        var x = Ops.NewTensor(rows, values.Length / rows);
        Ops.WriteHost(x, values);
        return x;
    }

    protected float[] Read(Tensor x)
    {
        var values = new float[x.Rows * x.Columns];
        Ops.ReadHost(x, values);
        return values;
    }

    private void Near(double actual, double expected, double magnitude, string what)
    {
        // Not !(error <= bound) turned round: a NaN must fail.
        if (Math.Abs(actual - expected) <= Tolerance * magnitude) return;
        Assert.Fail($"{what}: {actual:R}, expected {expected:R} within {Tolerance * magnitude:R}");
    }
}
