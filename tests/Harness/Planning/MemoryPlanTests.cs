using Harness.Common;
using Harness.Planning;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.Planning;

[TestFixture]
public sealed class MemoryPlanTests
{
    private static ModelShape Shape(string model) => ModelConfiguration.Load($"synthetic:{model}").Shape;

    private static PlannedWork Work(int batch, int length) => new() { BatchSize = batch, MaxLength = length };

    [Test]
    public void SevenBillionOnOneRankByHand()
    {
        var memory = MemoryPlan.For(Shape("7b"), 1, 1, Work(64, 256));
        // 6,738,415,616 parameters (Touvron et al. 2023), of which 65 norms of 4,096 gains are kept in four bytes.
        Assert.That(Shape("7b").Parameters, Is.EqualTo(6_738_415_616));
        Assert.That(memory.WeightBytes, Is.EqualTo(2 * 6_738_415_616 + 2 * 65 * 4096));
        Assert.That(memory.KvCacheBytes, Is.EqualTo(64L * 256 * 524_288), "2 · 32 layers · 4,096 · 2 bytes a token");
        // 1,024 rows of: stream, 2 norms, output, down (4,096 each), QKV 12,288, attention 4,096, gate ‖ up 22,016, SwiGLU 11,008.
        Assert.That(memory.ActivationBytes, Is.EqualTo(4L * 1024 * (5 * 4096 + 12_288 + 4096 + 22_016 + 11_008)));
        Assert.That(memory.Bytes, Is.EqualTo(memory.WeightBytes + memory.KvCacheBytes + memory.ActivationBytes));
        Assert.That(memory.ToString(), Is.EqualTo("weights 12.55 GiB + KV cache 8.000 GiB + activations 273.0 MiB = 20.82 GiB"));
    }

    [Test]
    public void TypesChangeTheBytes()
    {
        var narrow = MemoryPlan.For(Shape("7b"), 1, 1, Work(8, 128));
        var wide = MemoryPlan.For(Shape("7b"), 1, 1, Work(8, 128) with { Weights = DType.F32, Cache = DType.F32 });
        Assert.That(wide.WeightBytes, Is.EqualTo(4 * 6_738_415_616));
        Assert.That(wide.KvCacheBytes, Is.EqualTo(2 * narrow.KvCacheBytes));
        // 34 bytes for 32 weights; 65 norms of 4,096 gains are kept in four bytes.
        var groups = MemoryPlan.For(Shape("7b"), 1, 1, Work(8, 128) with { Weights = DType.Int8 });
        Assert.That(groups.WeightBytes, Is.EqualTo((6_738_415_616 - 65 * 4096) / 32 * 34 + 4 * 65 * 4096));
    }

    [Test]
    public void BytesThatCannotBeCountedAreRefused()
    {
        // 2,147,483,647 sequences of 131,072 tokens at 2 · 126 layers · 8 heads · 128 · 2 bytes: 1.5e20, above 2^63 = 9.2e18.
        var refusal = Assert.Throws<UserErrorException>(() => MemoryPlan.For(Shape("3.1-405b"), 1, 1, Work(int.MaxValue, 131_072)));
        Assert.That(refusal!.Message, Does.Contain("2147483647 sequences of 131072 tokens").And.Contain("--batch"));
        // A batch of 2^24 of them fits into 63 bits, and no device: 2^24 · 131,072 · 516,096.
        Assert.That(MemoryPlan.For(Shape("3.1-405b"), 1, 1, Work(1 << 24, 131_072)).KvCacheBytes, Is.EqualTo((1L << 41) * 516_096));
    }

    [Test]
    public void TheLargestMicroBatchOfTheLargestBatchIsOneSequence() =>
        Assert.That((Work(int.MaxValue, 1) with { MicroBatches = int.MaxValue }).SequencesPerPass(2), Is.EqualTo(1));

    [Test]
    public void KeyValueHeadsAreReplicatedBeyondTheirNumber()
    {
        // 80 layers, 8 key/value heads of 128: 2 · 80 · 128 · 2 bytes a token and head.
        foreach (var (tensor, heads) in new[] { (1, 8), (4, 2), (8, 1), (16, 1), (32, 1) })
            Assert.That(MemoryPlan.For(Shape("2-70b"), tensor, 1, Work(1, 1)).KvCacheBytes, Is.EqualTo(40_960 * heads), $"tp {tensor}");
    }

    [Test]
    public void TheFullestRankCounts()
    {
        // 11,008 features over 16 ranks are even; 32 layers over 5 stages are not, and the ends hold embedding and head.
        foreach (var (model, tensor, pipeline) in new[] { ("7b", 16, 5), ("tiny", 16, 3) })
        {
            var plan = new ShardPlan(Shape(model), tensor, pipeline);
            var ranks = Enumerable.Range(0, tensor).SelectMany(rank =>
                Enumerable.Range(0, pipeline).Select(stage => MemoryPlan.Of(plan, rank, stage, Work(64, 256)).Bytes)).ToList();
            Assert.That(MemoryPlan.For(plan, Work(64, 256)).Bytes, Is.EqualTo(ranks.Max()));
            Assert.That(ranks.Min(), Is.LessThan(ranks.Max()));
        }
    }

    [TestCase("7b", 1, 1)]
    [TestCase("7b", 8, 4)]
    [TestCase("3.2-1b", 2, 1, Description = "embedding and head tied, on one stage")]
    [TestCase("3.2-1b", 8, 3, Description = "tied, on two stages")]
    [TestCase("2-70b", 16, 2, Description = "replicated key/value heads")]
    [TestCase("smollm-135m", 9, 7, Description = "features, vocabulary and stages uneven")]
    [TestCase("qwen2.5-0.5b", 2, 5)]
    [TestCase("qwen3-0.6b", 8, 3)]
    [TestCase("7b", 16, 2, DType.Int8, Description = "features uneven, so that no group is cut")]
    [TestCase("smollm-135m", 9, 7, DType.Int8)]
    public void WeightsAndCacheAreThoseThatAStageLoads(string model, int tensor, int pipeline, DType weights = DType.BF16)
    {
        var work = Work(3, 20) with { Weights = weights, Cache = DType.F32 };
        var plan = new ShardPlan(Shape(model), tensor, pipeline, weights);
        for (var stage = 0; stage < pipeline; stage++)
            foreach (var tensorRank in new[] { 0, tensor - 1 })
            {
                var loaded = new CountedRank(model, tensor, pipeline, tensorRank, stage, work);
                var planned = MemoryPlan.Of(plan, tensorRank, stage, work);
                Assert.That(planned.WeightBytes, Is.EqualTo(loaded.Stage.BytesResident), $"tensor rank {tensorRank} of stage {stage}");
                Assert.That(planned.KvCacheBytes, Is.EqualTo(loaded.Cache.Bytes), $"tensor rank {tensorRank} of stage {stage}");
            }
    }

    /// <summary>The generator runs for real, on every stage; only the arithmetic is left out.</summary>
    [TestCase("7b", 1, 1, 64, 64, 1024, true, Description = "prefill decides")]
    [TestCase("7b", 8, 4, 64, 129, 1024, false)]
    [TestCase("tinyllama-1.1b", 4, 2, 100, 17, 32, true, Description = "more sequences than prefill rows: decode decides")]
    [TestCase("smollm-135m", 1, 1, 256, 6, 1024, true, Description = "a large vocabulary: the head decides")]
    [TestCase("smollm-135m", 3, 2, 512, 6, 1024, false, Description = "gathered logits decide")]
    public void ActivationsAreThoseThatTheForwardPassHolds(string model, int tensor, int pipeline, int batch, int length, int prefillRows,
        bool greedy)
    {
        var work = Work(batch, length) with { PrefillRows = prefillRows, Greedy = greedy };
        var plan = new ShardPlan(Shape(model), tensor, pipeline);
        for (var stage = 0; stage < pipeline; stage++)
        {
            var rank = new CountedRank(model, tensor, pipeline, 0, stage, work);
            rank.Generate(newTokens: 2);
            Assert.That(MemoryPlan.Of(plan, 0, stage, work).ActivationBytes, Is.EqualTo(4 * rank.Backend.PeakElements), $"stage {stage}");
        }
    }
}
