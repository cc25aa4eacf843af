using Harness.Common;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Tensors;

/// <summary>What becomes of keys and values in a cache of 16-bit numbers.</summary>
[Parallelizable]
internal sealed class KvCacheTypeTests
{
    private static IEnumerable<VectorWidth> Widths => Enum.GetValues<VectorWidth>().Where(width => width <= VectorWidths.Widest);

    private static readonly AttentionHeads[] s_shapes =
    [
        new(8, 2, 64, Frequencies(64)), new(4, 4, 128, Frequencies(128)), new(14, 2, 10, Frequencies(10)), new(3, 1, 2, Frequencies(2)),
    ];

    private static float[] Frequencies(int dimension) =>
        [.. Enumerable.Range(0, dimension / 2).Select(i => (float)Math.Pow(10000, -2.0 * i / dimension))];

    private static CpuBackend Backend(VectorWidth width, DType cache) => new(new BackendOptions(2, 0, 1, DType.F32, cache), width);

    /// <summary>
    /// The reference turns keys in float32, as the backend does, so that both round the same number; all else is float64 by the definition.
    /// </summary>
    [Test]
    public void AttentionIsThatOfRoundedKeysAndValues([ValueSource(nameof(Widths))] VectorWidth width,
        [Values(DType.BF16, DType.F16)] DType type, [Values(0, 1, 2, 3)] int shape)
    {
        const int prompt = 270, tokens = 290;
        var heads = s_shapes[shape];
        var (d, group) = (heads.Dimension, heads.Queries / heads.KeyValues);
        var (random, rowFloats) = (new Random(shape), (heads.Queries + 2 * heads.KeyValues) * d);
        var qkv = Enumerable.Range(0, tokens * rowFloats).Select(_ => 4 * random.NextSingle() - 2).ToArray();
        var turned = Enumerable.Range(0, tokens).Select(t => Turned(qkv.AsSpan(t * rowFloats, rowFloats), t, heads)).ToArray();
        using var ops = Backend(width, type);
        using var cache = ops.NewKvCache(1, 1, tokens, heads);
        Assert.That(ops.CacheType, Is.EqualTo(type));
        Check(0, prompt);
        for (var t = prompt; t < tokens; t++) Check(t, 1);

        void Check(int start, int count)
        {
            using var scope = ops.Scope();
            var x = ops.NewTensor(count, rowFloats);
            ops.WriteHost(x, qkv.AsSpan(start * rowFloats, count * rowFloats));
            var y = new float[count * heads.Queries * d];
            ops.ReadHost(ops.Attend(x, cache, 0, new RaggedBatch { Slots = [0], Starts = [start], Counts = [count] }, heads), y);
            foreach (var row in Enumerable.Range(0, count).Where(row => count == 1 || row % 67 == 0 || row == count - 1))
                for (var head = 0; head < heads.Queries; head++)
                {
                    var position = start + row;
                    var scores = new double[position + 1];
                    for (var t = 0; t <= position; t++)
                        for (var f = 0; f < d; f++)
                            scores[t] += turned[position][head * d + f]
                                * Rounded(turned[t][(heads.Queries + head / group) * d + f], type) / Math.Sqrt(d);
                    var weights = Array.ConvertAll(scores, score => Math.Exp(score - scores.Max()));
                    for (var f = 0; f < d; f++)
                    {
                        var (sum, magnitude) = (0.0, 0.0);
                        for (var t = 0; t <= position; t++)
                        {
                            var term = weights[t] / weights.Sum()
                                * Rounded(turned[t][(heads.Queries + heads.KeyValues + head / group) * d + f], type);
                            (sum, magnitude) = (sum + term, magnitude + Math.Abs(term));
                        }
                        Assert.That(y[(row * heads.Queries + head) * d + f], Is.EqualTo(sum).Within(1e-5 * magnitude),
                            $"position {position} head {head} feature {f}");
                    }
                }
        }
    }

    private static float[] Turned(ReadOnlySpan<float> row, int position, AttentionHeads heads)
    {
        var (result, d) = (row.ToArray(), heads.Dimension);
        for (var head = 0; head < heads.Queries + heads.KeyValues; head++)
            for (var f = 0; f < d / 2; f++)
            {
                var (sin, cos) = Math.SinCos((double)position * heads.Frequencies[f]);
                float a = row[head * d + f], b = row[head * d + d / 2 + f];
                result[head * d + f] = a * (float)cos - b * (float)sin;
                result[head * d + d / 2 + f] = b * (float)cos + a * (float)sin;
            }
        return result;
    }

    /// <summary>To 8 or 11 significant bits, to nearest, ties to even: of normal numbers.</summary>
    private static double Rounded(float value, DType type)
    {
        if (value == 0) return 0;
        var places = (type == DType.BF16 ? 7 : 10) - Math.ILogB(value);
        return Math.ScaleB(Math.Round(Math.ScaleB(value, places), MidpointRounding.ToEven), -places);
    }

    /// <summary>A token that is alone sees its own value and nothing else, as the cache has it: every place of a row is tried.</summary>
    [Test]
    public void AValueIsRoundedToTheNearestAndTiesToEven([ValueSource(nameof(Widths))] VectorWidth width,
        [Values(DType.BF16, DType.F16)] DType type)
    {
        // Units of the last place above 1: 2⁻⁷ and 2⁻¹⁰; above 65,504 float16 has nothing, below 2⁻¹⁴ it is spaced by 2⁻²⁴.
        var unit = type == DType.BF16 ? MathF.ScaleB(1, -7) : MathF.ScaleB(1, -10);
        (float Value, float Kept)[] cases =
        [
            (1, 1), (1 + unit / 2, 1), (1 + unit * 3 / 2, 1 + 2 * unit), (1 + unit * 0.51f, 1 + unit), (-1 - unit * 5 / 2, -1 - 2 * unit),
            (0, 0), (-3, -3), (1 / 3f, type == DType.BF16 ? 171 / 512f : 1365 / 4096f),
            .. type == DType.BF16 ? new[] { (1e30f, MathF.ScaleB(202, 92)) }
                : new[] { (65519f, 65504f), (MathF.ScaleB(1, -25), 0f), (MathF.ScaleB(3, -25), MathF.ScaleB(2, -24)), (MathF.ScaleB(5, -24), MathF.ScaleB(5, -24)) },
        ];
        var heads = new AttentionHeads(1, 1, 100, Frequencies(100));
        using var ops = Backend(width, type);
        using var cache = ops.NewKvCache(1, 1, 1, heads);
        var rows = ops.NewTensor(1, 300);
        ops.WriteHost(rows, [.. Enumerable.Range(0, 300).Select(i => i < 200 ? 0.5f : cases[(i - 200) % cases.Length].Value)]);
        var y = new float[100];
        ops.ReadHost(ops.Attend(rows, cache, 0, new RaggedBatch { Slots = [0], Starts = [0], Counts = [1] }, heads), y);
        Assert.That(y, Is.EqualTo(Enumerable.Range(0, 100).Select(i => cases[i % cases.Length].Kept)));
    }

    [TestCase(DType.F16, 65520f, "a key or value of 65520 is too large for a KV cache in f16; use --kv-dtype bf16 or f32")]
    [TestCase(DType.BF16, float.MaxValue, "a key or value of 3.4028235E+38 is too large for a KV cache in bf16; use --kv-dtype f32")]
    public void WhatATypeCannotHoldIsRefused(DType type, float value, string message)
    {
        var heads = new AttentionHeads(2, 1, 8, Frequencies(8));
        using var ops = Backend(VectorWidths.Widest, type);
        using var cache = ops.NewKvCache(1, 1, 4, heads);
        // The value's feature 5; a key's that is not turned, at position 0.
        foreach (var column in new[] { 16 + 8 + 5, 16 + 2 })
        {
            using var scope = ops.Scope();
            var rows = ops.NewTensor(1, 32);
            ops.WriteHost(rows, [.. Enumerable.Range(0, 32).Select(i => i == column ? value : 0)]);
            Assert.That(() => ops.Attend(rows, cache, 0, new RaggedBatch { Slots = [0], Starts = [0], Counts = [1] }, heads),
                Throws.TypeOf<UserErrorException>().With.Message.EqualTo(message));
        }
    }

    /// <summary>What was broken before it came to the cache is for the logits to tell, which name the place.</summary>
    [TestCase(float.NaN), TestCase(float.PositiveInfinity)]
    public void WhatIsNotFiniteGoesThrough(float value)
    {
        var heads = new AttentionHeads(1, 1, 8, Frequencies(8));
        using var ops = Backend(VectorWidths.Widest, DType.BF16);
        using var cache = ops.NewKvCache(1, 1, 4, heads);
        var rows = ops.NewTensor(1, 24);
        ops.WriteHost(rows, [.. Enumerable.Range(0, 24).Select(i => i == 20 ? value : 0)]);
        var y = new float[8];
        ops.ReadHost(ops.Attend(rows, cache, 0, new RaggedBatch { Slots = [0], Starts = [0], Counts = [1] }, heads), y);
        Assert.That(y[4], Is.EqualTo(value));
    }

    [TestCase(DType.F32, 4), TestCase(DType.BF16, 2), TestCase(DType.F16, 2)]
    public void ACacheTakesTheBytesOfItsType(DType type, int bytes)
    {
        using var ops = Backend(VectorWidths.Widest, type);
        using var cache = ops.NewKvCache(22, 8, 2048, new AttentionHeads(32, 4, 64, Frequencies(64)));
        Assert.That(cache.Bytes, Is.EqualTo(22L * 8 * 2048 * 2 * 4 * 64 * bytes));
    }
}
