using Harness.Planning;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.Planning;

/// <summary>What is planned for a pass against what the real forward pass does, counted.</summary>
[TestFixture]
public sealed class PassCostTests
{
    private static (CountedRank Rank, PassCost Cost) Counted(string model, int tensor, int pipeline, int stage, PlannedWork work,
        PassShape pass)
    {
        var plan = new ShardPlan(ModelConfiguration.Load($"synthetic:{model}").Shape, tensor, pipeline);
        return (new(model, tensor, pipeline, 0, stage, work), PassCost.Of(plan, stage, work, pass));
    }

    [TestCase("7b", 1, 1)]
    [TestCase("13b", 4, 3)]
    [TestCase("2-70b", 16, 2)]
    [TestCase("3.2-1b", 2, 1)]
    [TestCase("smollm-135m", 3, 7)]
    public void ADecodeStep(string model, int tensor, int pipeline)
    {
        var work = new PlannedWork { BatchSize = 48, MaxLength = 100, Wire = DType.BF16, MicroBatches = 3 };
        for (var stage = 0; stage < pipeline; stage++)
        {
            var (rank, cost) = Counted(model, tensor, pipeline, stage, work, PassShape.Decode(work, pipeline));
            rank.Forward(sequences: 16, from: 99, to: 100);
            Assert.That(cost.MemoryBytes, Is.EqualTo(rank.Backend.BytesRead), $"bytes, stage {stage}");
            Assert.That(cost.Flops, Is.EqualTo(rank.Backend.Flops), $"operations, stage {stage}");
            Assert.That(cost.TensorBytes, Is.EqualTo(rank.TensorLink.Statistics.BytesSent), $"tensor bytes, stage {stage}");
            Assert.That(cost.PipelineBytes, Is.EqualTo(rank.Pipeline.Statistics.BytesSent), $"pipeline bytes, stage {stage}");
        }
    }

    [Test]
    public void APrefillPass()
    {
        var work = new PlannedWork { BatchSize = 8, MaxLength = 512 };
        var (rank, cost) = Counted("7b", 2, 1, 0, work, PassShape.Prefill(work, 1));
        rank.Forward(sequences: 2, from: 0, to: 512);
        Assert.That(cost.MemoryBytes, Is.EqualTo(rank.Backend.BytesRead));
        Assert.That(cost.TensorBytes, Is.EqualTo(rank.TensorLink.Statistics.BytesSent));
        Assert.That(cost.Flops, Is.EqualTo(rank.Backend.Flops).Within(0.1).Percent,
            "a row sees (n + 1) / 2 tokens on average, planned as n / 2");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void SamplingExchangesCandidatesOrLogits(bool greedy)
    {
        var work = new PlannedWork { BatchSize = 5, MaxLength = 2, Greedy = greedy };
        var (rank, cost) = Counted("7b", 4, 1, 0, work, PassShape.Decode(work, 1));
        rank.Generate(newTokens: 1);                                                  // one pass of five one-token prompts, sampled once
        Assert.That(cost.TensorBytes + cost.HeadBytes, Is.EqualTo(rank.TensorLink.Statistics.BytesSent + rank.TensorRanks.BytesGathered));
        Assert.That(cost.HeadBytes, Is.EqualTo(greedy ? 5 * 8 * 3 : 5 * 8000 * 4 * 3),
            "five candidates, or five quarters of 32,000 logits, to three peers");
    }

    [Test]
    public void MessagesAreCounted()
    {
        var work = new PlannedWork { BatchSize = 4, MaxLength = 8 };
        int Messages(int tensor, int pipeline, int stage) =>
            Counted("7b", tensor, pipeline, stage, work, PassShape.Decode(work, pipeline)).Cost.Messages;
        Assert.Multiple(() =>
        {
            Assert.That(Messages(1, 1, 0), Is.Zero);
            Assert.That(Messages(2, 1, 0), Is.EqualTo(65 + 1 + 1), "2 · 32 layers and the embedding; candidates; tokens");
            Assert.That(Messages(1, 2, 0), Is.EqualTo(1), "activations");
            Assert.That(Messages(1, 2, 1), Is.EqualTo(1), "tokens");
        });
        var (rank, _) = Counted("7b", 2, 1, 0, work, PassShape.Decode(work, 1));
        rank.Forward(sequences: 4, from: 7, to: 8);
        Assert.That(rank.TensorLink.Messages, Is.EqualTo(65));
    }
}
