using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;

namespace Harness.Tests.Models.Llama;

internal sealed class SyntheticCheckpointTests
{
    /// <summary>
    /// From the model cards and from safetensors' own totals on Hugging Face: huggyllama/llama-7b, -13b, -65b,
    /// meta-llama/Llama-2-70b-hf, Meta-Llama-3-8B, Llama-3.1-405B, Llama-3.2-1B, TinyLlama-1.1B, mistralai/Mistral-7B-v0.1.
    /// </summary>
    [TestCase("7b", 6_738_415_616)]
    [TestCase("13b", 13_015_864_320)]
    [TestCase("65b", 65_285_660_672)]
    [TestCase("2-70b", 68_976_648_192)]
    [TestCase("3-8b", 8_030_261_248)]
    [TestCase("3.1-405b", 405_853_388_800)]
    [TestCase("3.2-1b", 1_235_814_400)]
    [TestCase("tinyllama-1.1b", 1_100_048_384)]
    [TestCase("mistral-7b", 7_241_732_096)]
    [TestCase("qwen2.5-0.5b", 494_032_768)]
    [TestCase("qwen2.5-7b", 7_615_616_512)]
    [TestCase("qwen3-0.6b", 596_049_920)]
    [TestCase("qwen3-8b", 8_190_735_360)]
    public void ShapesHaveThePublishedNumberOfParameters(string name, long parameters)
    {
        using var checkpoint = Checkpoint.Open("synthetic:" + name);
        var shape = checkpoint.Config.Shape;
        Assert.That(shape.Parameters, Is.EqualTo(parameters));
        Assert.That(new ShardPlan(shape, 1, 1).For(0, 0).Tensors().Sum(t => t.Elements), Is.EqualTo(parameters),
            "and so many elements in its tensors");
    }

    [TestCase("model.embed_tokens.weight")]
    [TestCase("model.layers.3.self_attn.k_proj.weight")]
    [TestCase("model.layers.7.mlp.down_proj.weight")]
    [TestCase("model.layers.0.input_layernorm.weight")]
    public void AnySliceEqualsThatPartOfTheWhole(string name)
    {
        using var checkpoint = Checkpoint.Open("synthetic:tiny");
        var whole = new ShardPlan(checkpoint.Config.Shape, 1, 1).For(0, 0).Find(name);
        var all = Read(checkpoint, whole);
        foreach (var (rows, columns) in new[] { (new Slice(0, whole.TotalRows), new Slice(0, 1)),
            (new Slice(whole.TotalRows / 3, whole.TotalRows / 2 + 1), new Slice(5, 37)),
            (new Slice(whole.TotalRows - 1, 1), new Slice(whole.TotalColumns - 17, 17)) })
        {
            if (rows.End > whole.TotalRows) continue;       // a norm is one row
            var part = Read(checkpoint, whole with { Rows = rows, Columns = columns });
            for (var r = 0; r < rows.Count; r++)
                Assert.That(part.AsSpan(r * columns.Count, columns.Count).ToArray(),
                    Is.EqualTo(all.AsSpan((rows.Start + r) * whole.TotalColumns + columns.Start, columns.Count).ToArray()));
        }
    }

    [Test]
    public void RowsCopiedOneByOneAreThoseCopiedTogether()
    {
        using var checkpoint = Checkpoint.Open("synthetic:tiny");
        var slice = new TensorSlice("model.layers.1.mlp.up_proj.weight", new(40, 9), new(3, 50), 344, 128);
        var together = Read(checkpoint, slice);
        var row = new ushort[50];
        for (var r = 0; r < 9; r++)
        {
            checkpoint.Read(slice).CopyRows(r, 1, MemoryMarshal.AsBytes(row.AsSpan()));
            Assert.That(row, Is.EqualTo(together[(r * 50)..(r * 50 + 50)]));
        }
    }

    /// <summary>
    /// LLaMA is initialised with a standard deviation of 0.02. Of n draws the mean is off by about 0.02 / √n, the deviation by less than
    /// that.
    /// </summary>
    [TestCase("model.embed_tokens.weight")]
    [TestCase("model.layers.0.mlp.gate_proj.weight")]
    [TestCase("lm_head.weight")]
    public void WeightsHaveMean0AndDeviation002(string name)
    {
        using var checkpoint = Checkpoint.Open("synthetic:tinyllama-1.1b");
        var whole = new ShardPlan(checkpoint.Config.Shape, 1, 1).For(0, 0).Find(name);
        var values = Numbers(Read(checkpoint, whole with { Rows = new(1000, 500) }));
        var mean = values.Average();
        var deviation = Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
        var tolerance = 5 * 0.02 / Math.Sqrt(values.Length);
        Assert.That(mean, Is.EqualTo(0).Within(tolerance + 0.02 / 512), "bf16 by truncation, which is towards zero");
        Assert.That(deviation, Is.EqualTo(0.02).Within(tolerance + 0.02 / 256));
    }

    [Test]
    public void TensorsAndRowsDifferAndRunsDoNot()
    {
        using var checkpoint = Checkpoint.Open("synthetic:tiny");
        using var again = Checkpoint.Open("synthetic:tiny");
        var gate = new TensorSlice("model.layers.0.mlp.gate_proj.weight", new(0, 344), new(0, 128), 344, 128);
        var values = Numbers(Read(checkpoint, gate));
        var up = Numbers(Read(checkpoint, gate with { Name = "model.layers.0.mlp.up_proj.weight" }));
        Assert.Multiple(() =>
        {
            Assert.That(Numbers(Read(again, gate)), Is.EqualTo(values));
            // Of independent values the correlation is about 1 / √n, here 0.005.
            Assert.That(Correlation(values, up), Is.EqualTo(0).Within(0.03), "another tensor");
            Assert.That(Correlation(values[128..], values[..^128]), Is.EqualTo(0).Within(0.03), "the next row");
            Assert.That(Correlation(values[1..], values[..^1]), Is.EqualTo(0).Within(0.03), "the next column");
        });
    }

    [Test]
    public void NormsAreOnes()
    {
        using var checkpoint = Checkpoint.Open("synthetic:tiny");
        var norm = new ShardPlan(checkpoint.Config.Shape, 1, 1).For(0, 0).Find("model.norm.weight");
        Assert.That(Numbers(Read(checkpoint, norm)), Is.EqualTo(Enumerable.Repeat(1.0, 128)));
    }

    [Test]
    public void ASyntheticModelGivesFiniteLogitsAndTheSameOverManyRanks()
    {
        int[] tokens = [.. Enumerable.Range(0, 40).Select(i => i * 37 % 512)];
        var expected = new ShardedModel("synthetic:tiny").Logits(tokens);
        var actual = new ShardedModel("synthetic:tiny", 16, 2).Logits(tokens);
        Assert.That(expected.SelectMany(row => row), Is.All.Matches<float>(float.IsFinite));
        Assert.That(Logits.LargestDifference(actual, expected), Is.LessThan(1e-4));
    }

    [Test]
    public void AnUnknownShapeIsRefusedWithTheKnownOnes() =>
        Assert.That(() => Checkpoint.Open("synthetic:8b"),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith("model 'synthetic:8b' is unknown; synthetic shapes are 7b, 13b,"));

    private static ushort[] Read(ICheckpoint checkpoint, TensorSlice slice)
    {
        var values = new ushort[slice.Elements];
        checkpoint.Read(slice).CopyRows(0, slice.Rows.Count, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static double[] Numbers(ushort[] values) => [.. values.Select(v => (double)BitConverter.UInt32BitsToSingle((uint)v << 16))];

    private static double Correlation(double[] x, double[] y) =>
        x.Zip(y).Sum(p => p.First * p.Second) / Math.Sqrt(x.Sum(v => v * v) * y.Sum(v => v * v));
}
