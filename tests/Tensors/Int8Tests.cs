using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Harness.Common;
using Harness.Tensors;
using Harness.Tensors.Cpu;
using Harness.Tests.Contracts;

namespace Harness.Tests.Tensors;

/// <summary>Weights in groups of 32: what is stored, what is computed with it, and what is refused.</summary>
internal sealed class Int8Tests
{
    private static IEnumerable<VectorWidth> Widths => Enum.GetValues<VectorWidth>().Where(width => width <= VectorWidths.Widest);

    private static CpuBackend Backend(VectorWidth width, int threads = 1) => new(new BackendOptions(threads, 0, 1, DType.F32), width);

    private static Weight Load(CpuBackend ops, float[] values, int rows, DType stored = DType.F32) =>
        ops.LoadWeight([MemorySlice.Of(values, rows, stored)], DType.Int8);

    /// <summary>A group of one value v is scaled by v / 127 in float16, which 127 is multiplied by.</summary>
    [Test]
    public void AGroupIsMultiplesOfAFloat16Scale()
    {
        // 127 times 2⁻⁷ makes a scale that float16 has; the halves at 0.5 and 2.5 units show that they go away from zero.
        float unit = 1 / 128f;
        float[] row =
            [127 * unit, 0.5f * unit, -2.5f * unit, 0.49f * unit, -126.6f * unit, .. new float[27], 1, 0.5f / 127, .. new float[3]];
        using var ops = Backend(VectorWidths.Widest);
        var weight = Load(ops, row, 1);
        var stored = Rows(ops, weight);
        Assert.Multiple(() =>
        {
            Assert.That(stored[..5], Is.EqualTo((float[])[127 * unit, unit, -3 * unit, 0, -127 * unit]));
            // The scale of a group whose largest value is 1 is the float16 nearest to 1 / 127.
            Assert.That(stored[32], Is.EqualTo(127 * (float)(Half)(1 / 127.0)));
            Assert.That(weight.ResidentBytes, Is.EqualTo(2 * 34), "a group of 32 and one of 5: 32 values and a float16 each");
        });
    }

    [Test]
    public void EverySliceOfWholeGroupsHoldsTheValuesOfTheWhole([Values] bool odd)
    {
        int rows = 27, columns = odd ? 172 : 160;
        var values = Values(rows * columns, 1);
        using var ops = Backend(VectorWidths.Widest, 3);
        var whole = Rows(ops, Load(ops, values, rows));
        foreach (var (from, to) in new[] { (0, 96), (32, 64), (96, columns) })
        {
            var part = Rows(ops, Load(ops, Columns(values), rows));
            Assert.That(part, Is.EqualTo(Columns(whole)), $"columns {from} to {to - 1}");

            float[] Columns(float[] of) => [.. Enumerable.Range(0, rows).SelectMany(r => of[(r * columns + from)..(r * columns + to)])];
        }
    }

    /// <summary>
    /// Weights and activations quantised anew here, the integers added up exactly, the groups in float32 one after the other, with one
    /// rounding where the processor has it: equal bits.
    /// </summary>
    [Test]
    public void ProductsAreExactWithinAGroup([ValueSource(nameof(Widths))] VectorWidth width, [Values(5, 64, 172)] int inputs)
    {
        const int outputs = 75, tokens = 7;
        float[] w = Values(outputs * inputs, 2), x = Values(tokens * inputs, 3);
        x[3] = 1e4f;
        for (var i = 0; i < Math.Min(inputs, 32); i++) x[inputs + i] = 0;
        using var ops = Backend(width);
        var input = ops.NewTensor(tokens, inputs);
        ops.WriteHost(input, x);
        var actual = Read(ops, ops.Linear(input, Load(ops, w, outputs)));
        for (var t = 0; t < tokens; t++)
            for (var o = 0; o < outputs; o++)
            {
                var sum = 0f;
                for (var first = 0; first < inputs; first += 32)
                {
                    var last = Math.Min(first + 32, inputs);
                    var (weights, scale) = Quantised(w[(o * inputs + first)..(o * inputs + last)], MidpointRounding.AwayFromZero);
                    var (activations, factor) = Quantised(x[(t * inputs + first)..(t * inputs + last)], MidpointRounding.ToEven);
                    float products = weights.Zip(activations, (a, b) => a * b).Sum(), unit = (float)(Half)scale * factor;
                    sum = Fma.IsSupported || AdvSimd.IsSupported ? MathF.FusedMultiplyAdd(products, unit, sum) : products * unit + sum;
                }
                Assert.That(actual[t * outputs + o], Is.EqualTo(sum), $"token {t}, output {o}");
            }

        static (int[] Multiples, float Scale) Quantised(float[] values, MidpointRounding ties)
        {
            var scale = values.Max(MathF.Abs) / 127;
            return ([.. values.Select(value => scale == 0 ? 0 : (int)MathF.Round(value * (1 / scale), ties))], scale);
        }
    }

    [Test]
    public void ExtremesOfBothFactorsDoNotSaturate([ValueSource(nameof(Widths))] VectorWidth width, [Values(-1, 1)] int sign)
    {
        const int inputs = 4096;
        using var ops = Backend(width);
        var x = ops.NewTensor(5, inputs);
        ops.WriteHost(x, [.. Enumerable.Repeat(127f, 5 * inputs)]);
        var y = Read(ops, ops.Linear(x, Load(ops, [.. Enumerable.Repeat(sign * 127f, 9 * inputs)], 9)));
        Assert.That(y, Is.All.EqualTo(sign * 127f * 127 * inputs), "127² · 32 a group: all sums are exact in float32");
    }

    /// <summary>The kernels for AVX-VNNI on a processor without: all but the one instruction, which is done lane by lane.</summary>
    [Test]
    public unsafe void TheKernelsForVnniGiveTheSameBits([Values(1, 2, 3, 4, 7)] int tokens)
    {
        if (!Fma.IsSupported) Assert.Ignore("this processor has no AVX2, which the rest of these kernels needs: not run");
        const int inputs = 172, outputs = 75;
        using var ops = Backend(VectorWidth.Bits256);
        var (x, y) = ((CpuTensor)ops.NewTensor(tokens, inputs), (CpuTensor)ops.NewTensor(tokens, outputs));
        ops.WriteHost(x, Values(tokens * inputs, 7));
        var weight = (Int8Weight)Load(ops, Values(outputs * inputs, 8), outputs);
        using var arena = new Arena();
        Int8Product<LaneByLane, Vector256<int>, Vector256<float>>.Multiply(ops.Team, arena, x.Data, tokens, weight, y.Data);
        Assert.That(Read(ops, y), Is.EqualTo(Read(ops, ops.Linear(x, weight))));
    }

    private readonly unsafe struct LaneByLane : IByteDot<Vector256<int>, Vector256<float>>
    {
        public static int Lanes => ByteDotVnni.Lanes;
        public static int ChunkBytes => ByteDotVnni.ChunkBytes;
        public static float Unit => ByteDotVnni.Unit;

        public static Vector256<int> Start(int total) => ByteDotVnni.Start(total);

        public static void Weights(byte* chunk, out Vector256<int> first, out Vector256<int> second) =>
            ByteDotVnni.Weights(chunk, out first, out second);

        public static void Columns(byte* packed, out Vector256<int> first, out Vector256<int> second) =>
            ByteDotVnni.Columns(packed, out first, out second);

        /// <summary>VPDPBUSD: unsigned bytes times signed ones, four of them added to each lane.</summary>
        public static Vector256<int> Add(Vector256<int> sums, Vector256<int> firstWeights, Vector256<int> secondWeights,
            Vector256<int> firstColumns, Vector256<int> secondColumns)
        {
            for (var i = 0; i < 32; i++)
                sums = sums.WithElement(i / 4, sums[i / 4] + firstWeights.AsByte()[i] * firstColumns.AsSByte()[i]);
            return sums;
        }

        public static Vector256<float> Scales(ushort* scales) => ByteDotVnni.Scales(scales);

        public static Vector256<float> AddScaled(
            Vector256<float> accumulator, Vector256<int> sums, Vector256<float> scales, float factor) =>
            ByteDotVnni.AddScaled(accumulator, sums, scales, factor);

        public static Vector256<float> Load(float* source) => ByteDotVnni.Load(source);
        public static void Store(Vector256<float> value, float* destination) => ByteDotVnni.Store(value, destination);
    }

    [Test]
    public void WhatIsNotFiniteIsSeenInEveryOutput(
        [ValueSource(nameof(Widths))] VectorWidth width, [Values(float.NaN, float.PositiveInfinity)] float bad)
    {
        using var ops = Backend(width);
        var x = ops.NewTensor(6, 70);
        var values = Values(6 * 70, 4);
        values[70 + 69] = values[5 * 70 + 1] = bad;
        ops.WriteHost(x, values);
        var y = Read(ops, ops.Linear(x, Load(ops, Values(40 * 70, 5), 40)));
        for (var row = 0; row < 6; row++)
            Assert.That(y[(row * 40)..((row + 1) * 40)], row is 1 or 5 ? Is.All.NaN : Is.All.Matches<float>(float.IsFinite), $"row {row}");
    }

    [TestCase(float.NaN, "test: the value at row 50, column 4 is not a finite number; the checkpoint is damaged")]
    [TestCase(float.NegativeInfinity, "test: the value at row 50, column 4 is not a finite number; the checkpoint is damaged")]
    [TestCase(-8.4e6f, "test: the value -8400000 at row 50, column 4 makes a scale beyond float16; use dtype bf16 or f32")]
    public void LoadRefusesWhatGroupsCannotHold(float bad, string message)
    {
        using var ops = Backend(VectorWidths.Widest, 2);
        var values = Values(70 * 33, 6);
        values[50 * 33 + 4] = bad;
        Assert.That(() => Load(ops, values, 70), Throws.TypeOf<UserErrorException>().With.Message.EqualTo(message));
    }

    /// <summary>Every row of a table, as a lookup gives it.</summary>
    private static float[] Rows(CpuBackend ops, Weight weight)
    {
        using var scope = ops.Scope();
        return Read(ops, ops.Embed(weight, 0, [.. Enumerable.Range(0, weight.Outputs)]));
    }

    private static float[] Values(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    private static float[] Read(CpuBackend ops, Tensor x)
    {
        var values = new float[x.Rows * x.Columns];
        ops.ReadHost(x, values);
        return values;
    }
}
