using Harness.Models.Llama.Generation;
using Harness.Tensors;
using Harness.Tests.Models.Llama;

namespace Harness.Tests.TorchSharp;

/// <summary>The model over libtorch: the same forward pass, so the same tokens.</summary>
internal sealed class TorchModelTests
{
    private static readonly ShardedModel s_cpu = new(Stories.Directory);

    [TestCase(1, 1)]
    [TestCase(2, 1)]
    [TestCase(2, 2)]
    public void StoriesAreTheReferencesStories(int tensor, int pipeline)
    {
        var torch = new ShardedModel(Stories.Directory, tensor, pipeline) { Backend = "torch" };
        Assert.That(torch.Generate([[Stories.BeginOfText]], Stories.Continuation.Length)[0], Is.EqualTo(Stories.Continuation));
    }

    [Test]
    public void LogitsAreThoseOfTheCpuBackend()
    {
        var text = Stories.LongText;
        var difference = Logits.LargestDifference(new ShardedModel(Stories.Directory) { Backend = "torch" }.Logits(text),
            s_cpu.Logits(text));
        Assert.That(difference, Is.LessThan(1e-3));
    }

    /// <summary>Prompts of 1 to 40 tokens, whole and in chunks, in one batch that shrinks as its sequences end.</summary>
    [TestCase(1024, 1)]
    [TestCase(7, 2)]
    public void ARaggedBatchGetsTheTokensOfTheCpuBackend(int prefillRows, int microBatches)
    {
        Sequence[] prompts = [.. Stories.RaggedPrompts().Select((prompt, i) => new Sequence(i, i, prompt, 3 + i * 7 % 30))];
        foreach (var sampling in new SamplingParameters[] { new(), new(0.8f, 40, 0.95f, 1.1f) })
        {
            var settings = new GenerationSettings(sampling, Seed: 5, new HashSet<int>(), microBatches, prefillRows);
            Assert.That((s_cpu with { Backend = "torch" }).Generate(prompts, settings)[0],
                Is.EqualTo(s_cpu.Generate(prompts, settings)[0]));
        }
    }

    /// <summary>
    /// A rounding to n bits of fraction is off by at most 2^-(n+1) of the value. A layer rounds about a dozen times, five layers and
    /// the head sixty times; independent errors grow with the root of that.
    /// </summary>
    [TestCase(DType.BF16, 8)]
    [TestCase(DType.F16, 11)]
    public void SixteenBitsStayWithinTheirRounding(DType type, int bits)
    {
        var text = Stories.LongText;
        var exact = (s_cpu with { Storage = type }).Logits(text);
        var distance = Logits.RelativeDistance((s_cpu with { Storage = type, Activations = type, Backend = "torch" }).Logits(text), exact);
        TestContext.Out.WriteLine($"relative distance {distance:g3}");
        Assert.That(distance, Is.LessThan(Math.Sqrt(60) * Math.Pow(2, -bits)));
    }
}
