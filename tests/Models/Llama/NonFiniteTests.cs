using Harness.Models.Llama.Generation;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Models.Llama;

/// <summary>Checkpoints with a value that is none, or whose activations overflow: layer and rank are known from where it was put.</summary>
[Parallelizable]
internal sealed class NonFiniteTests
{
    private const int Hidden = 32, FeedForward = 48, Layers = 3, Token = 9;

    private static readonly int[] s_prompt = [1, Token, 4, 5, 6, 7, 8, 2, 3, 10];

    /// <summary>Of [Hidden, Hidden], whose columns are spread over tensor ranks: in the second half.</summary>
    private const int OfTheSecond = 5 * Hidden + 20;

    [Test]
    public void ANaNIsFoundWhereItLies([Values(1, 2)] int tensor, [Values(1, 3)] int pipeline, [Values(0, 0.8f)] float temperature,
        [Values(1, 2)] int layer)
    {
        var found = Broken(new(Directory($"model.layers.{layer}.self_attn.o_proj.weight", OfTheSecond, double.NaN), tensor, pipeline),
            temperature);
        var rank = (pipeline == 1 ? 0 : layer) * tensor + (tensor - 1);
        Assert.That(found.Place, Is.EqualTo(new NonFinitePlace(layer, PassPart.Attention, rank, float.NaN)));
        Assert.That((found.Sequence, found.OutputTokens), Is.EqualTo((0, 0)));
    }

    [TestCase("model.layers.0.mlp.down_proj.weight", 3 * FeedForward + 2, 0, PassPart.FeedForward, 0)]
    [TestCase("model.layers.2.mlp.down_proj.weight", 3 * FeedForward + 40, 2, PassPart.FeedForward, 5)]
    [TestCase("model.layers.1.input_layernorm.weight", 7, 1, PassPart.Attention, 2)]
    [TestCase("model.embed_tokens.weight", Token * Hidden + 1, -1, PassPart.Attention, 0)]
    [TestCase("lm_head.weight", 40 * Hidden, Layers, PassPart.Residual, 5)]
    [TestCase("model.norm.weight", 3, Layers, PassPart.Residual, 4)]
    public void EveryTensorHasItsPlace(string name, int element, int layer, PassPart part, int rank)
    {
        var place = Broken(new(Directory(name, element, double.PositiveInfinity), 2, 3)).Place!;
        Assert.That((place.Layer, place.Part, place.Rank), Is.EqualTo((layer, part, rank)));
        Assert.That(float.IsFinite(place.Value), Is.False);
    }

    /// <summary>All weights are finite, and their products are 1e60, which float32 does not hold.</summary>
    [TestCase(CpuBackend.Word)]
    [TestCase("torch")]
    public void WhatOverflowsIsFoundInItsLayer(string backend)
    {
        const int row = 40;     // of the features' second half
        var spoilt = from name in new[] { "gate", "up" }
                     from column in Enumerable.Range(0, Hidden)
                     select ($"model.layers.1.mlp.{name}_proj.weight", row * Hidden + column, 1e30);
        var model = new ShardedModel(Directory([.. spoilt]), 2, 3) { Backend = backend };
        Assert.That(Broken(model).Place, Is.EqualTo(new NonFinitePlace(1, PassPart.FeedForward, 3, float.NaN))
            .Or.EqualTo(new NonFinitePlace(1, PassPart.FeedForward, 3, float.PositiveInfinity))
            .Or.EqualTo(new NonFinitePlace(1, PassPart.FeedForward, 3, float.NegativeInfinity)));
    }

    /// <summary>Activations in float16, which ends at 65,504: 500 in one place of the norm's gain, and 500 for its weights.</summary>
    [Test]
    public void Float16ActivationsThatOverflowAreFoundInTheirLayer()
    {
        var spoilt = Enumerable.Range(0, Hidden).Select(row => ($"model.layers.1.mlp.down_proj.weight", row * FeedForward + 40, 60_000.0))
            .Concat(Enumerable.Range(0, Hidden).SelectMany(column => new[] { "gate", "up" }.Select(name =>
                ($"model.layers.1.mlp.{name}_proj.weight", 40 * Hidden + column, 50.0))));
        var model = new ShardedModel(Directory([.. spoilt], DType.F16), 2, 3) { Backend = "torch", Activations = DType.F16 };
        Assert.That((Broken(model).Place!.Layer, Broken(model).Place!.Rank), Is.EqualTo((1, 3)));
    }

    /// <summary>The token that spoils it lies in the first of three passes over the prompt, which yields no logits.</summary>
    [Test]
    public void WhatAnEarlierPassHasCachedIsFoundThere()
    {
        var directory = Directory("model.layers.1.mlp.down_proj.weight", 3, double.NaN);
        Assert.That(Broken(new(directory, 1, 3), prefillRows: 4).Place,
            Is.EqualTo(new NonFinitePlace(1, PassPart.FeedForward, 1, float.NaN)));
        directory = Directory("model.embed_tokens.weight", Token * Hidden, double.NaN);
        Assert.That(Broken(new(directory, 1, 3), prefillRows: 4).Place,
            Is.EqualTo(new NonFinitePlace(-1, PassPart.Attention, 0, float.NaN)));
    }

    /// <summary>Two micro-batches are under way in the pipeline when the first turns out broken; the other prompt is sound.</summary>
    [Test]
    public void OthersUnderWayDoNotHideIt()
    {
        var directory = Directory("model.embed_tokens.weight", Token * Hidden, double.NaN);
        var settings = ShardedModel.Greedy with { MicroBatches = 2 };
        Sequence[] pattern = [new(0, 0, s_prompt, 3), new(1, 1, [1, 2, 3], 3), new(2, 2, [1, 3, 3], 3), new(3, 3, [1, 3, 4], 3)];
        var found = Assert.Throws<NonFiniteLogitsException>(() => new ShardedModel(directory, 2, 3).Generate(pattern, settings))!;
        Assert.That((found.Sequence, found.Place), Is.EqualTo((0, new NonFinitePlace(-1, PassPart.Attention, 0, float.NaN))));
    }

    private readonly ScratchDirectory _scratch = new();
    private int _models;

    [OneTimeTearDown]
    public void End() => _scratch.Dispose();

    private static NonFiniteLogitsException Broken(ShardedModel model, float temperature = 0, int prefillRows = 1024)
    {
        var settings = ShardedModel.Greedy with { Sampling = new(temperature), PrefillRows = prefillRows };
        return Assert.Throws<NonFiniteLogitsException>(() => model.Generate([s_prompt], 3, settings))!;
    }

    private string Directory(string tensor, int element, double value) => Directory([(tensor, element, value)]);

    private string Directory(IReadOnlyList<(string Tensor, int Element, double Value)> spoilt, DType dtype = DType.F32) =>
        new TinyCheckpoint
        {
            Layers = Layers,
            Hidden = Hidden,
            FeedForward = FeedForward,
            DType = dtype,
            Spoilt = spoilt,
        }.Write(_scratch, $"model-{Interlocked.Increment(ref _models)}");
}
