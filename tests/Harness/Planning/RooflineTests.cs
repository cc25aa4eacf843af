using Harness.Planning;
using Harness.Sharding;

namespace Harness.Tests.Planning;

[TestFixture]
public sealed class RooflineTests
{
    private const double Unlimited = 1e30;

    /// <summary>Matrices of one layer of 7b: 4 · 4,096² + 3 · 4,096 · 11,008; and of the head.</summary>
    private const double Layer = 202_375_168, Head = 131_072_000;

    /// <summary>Data sheet: 900 GB/s, 125 TFLOPS in 16 bits, NVLink 150 GB/s each way.</summary>
    private static readonly DeviceRates s_v100 = new(900e9, 125e12, 150e9);

    private static ShardPlan Plan(int tensor, int pipeline) => new(ModelConfiguration.Load("synthetic:7b").Shape, tensor, pipeline);

    private static Prediction? Decode(int tensor, int pipeline, PlannedWork work, DeviceRates device) =>
        Roofline.Predict(Plan(tensor, pipeline), work, PassShape.Decode(work, pipeline), device);

    [Test]
    public void OneSequenceIsBoundByMemory()
    {
        var work = new PlannedWork { BatchSize = 1, MaxLength = 256 };
        // Two bytes of each matrix element, four of 65 norms' gains, a row of the embedding, 256 tokens of cache.
        const double Bytes = 2 * (32 * Layer + Head) + 4 * 65 * 4096 + 2 * 4096 + 256 * 524_288;
        var one = Decode(1, 1, work, s_v100)!.Value;
        Assert.That(one.TokensPerSecond, Is.EqualTo(900e9 / Bytes).Within(1e-9).Percent);
        Assert.That(one.TokensPerSecond, Is.EqualTo(67.4).Within(0.1), "13.35 GB at 900 GB/s");
        Assert.That(one.Bound, Is.EqualTo(Bound.Memory));
    }

    [Test]
    public void ManySequencesAreBoundByComputing()
    {
        var work = new PlannedWork { BatchSize = 64, MaxLength = 2 };
        // Two operations a matrix element and token; and scores and values over two tokens: 4 · 2 · 4,096 in each of 32 layers.
        const double Flops = 64 * (2 * (32 * Layer + Head) + 32 * 4 * 2 * 4096);
        var prediction = Decode(1, 1, work, s_v100 with { FlopsPerSecond = 1e12 })!.Value;
        Assert.That(prediction.TokensPerSecond, Is.EqualTo(64 * 1e12 / Flops).Within(1e-9).Percent);
        Assert.That(prediction.Bound, Is.EqualTo(Bound.Compute));
    }

    [Test]
    public void ASlowLinkBoundsTensorParallelism()
    {
        var work = new PlannedWork { BatchSize = 1, MaxLength = 2 };
        var prediction = Decode(2, 1, work, new(Unlimited, Unlimited, 1e6, 1e-3))!.Value;
        // 65 all-reduces of 4,096 float32 (over two ranks each sends as much as the tensor holds), 8 bytes of candidate; 67 messages.
        Assert.That(prediction.TokensPerSecond, Is.EqualTo(1 / ((65 * 4096 * 4 + 8) / 1e6 + 67 * 1e-3)).Within(1e-9).Percent);
        Assert.That(prediction.Bound, Is.EqualTo(Bound.Link));
    }

    [Test]
    public void StagesOnlyHelpWithMicroBatches()
    {
        var device = new DeviceRates(900e9, Unlimited, Unlimited);
        var work = new PlannedWork { BatchSize = 64, MaxLength = 1024, MicroBatches = 1 };
        var one = Decode(1, 1, work, device)!.Value.TokensPerSecond;
        var alone = Decode(1, 4, work, device)!.Value.TokensPerSecond;
        Assert.That(alone, Is.EqualTo(one).Within(1e-9).Percent,
            "one micro-batch visits the stages in turn: together they read what one rank reads");

        // 32 layers and a head as long as 0.65 of one: three stages of 8 layers, the last of 8 and the head, or fewer.
        var four = Decode(1, 4, work with { MicroBatches = 4 }, device)!.Value.TokensPerSecond;
        var slowest = Enumerable.Range(0, 4).Max(stage => PassCost.Of(Plan(1, 4), stage, work, new(16, 16, 1024, 16 * 1024)).MemoryBytes);
        Assert.That(four, Is.EqualTo(16 * 900e9 / slowest).Within(1e-9).Percent, "the slowest stage passes 16 sequences at a time");
        Assert.That(four, Is.GreaterThan(2 * alone).And.LessThan(4 * alone), "the weights are read for each micro-batch, the cache once");
    }

    /// <summary>
    /// A sequence at a time through two stages of two tensor ranks: while one stage works the other waits. A device reads 1e9 bytes a
    /// second, and sends as many.
    /// </summary>
    [Test]
    public void WhatDevicesDoAddsUpToTheirSeconds()
    {
        var work = new PlannedWork { BatchSize = 1, MaxLength = 2 };
        var prediction = Decode(2, 2, work, new(1e9, Unlimited, 1e9))!.Value;
        var stages = Enumerable.Range(0, 2).Select(stage => PassCost.Of(Plan(2, 2), stage, work, new(1, 1, 2, 2))).ToList();
        var (memory, link) = (stages.Sum(stage => stage.MemoryBytes) / 1e9, stages.Sum(stage => stage.LinkBytes) / 1e9);
        Assert.That(prediction.TokensPerSecond, Is.EqualTo(1 / (memory + link)).Within(1e-9).Percent);
        var (computing, communication, waiting) = prediction.DeviceSeconds;
        Assert.That((computing, communication), Is.EqualTo((2 * memory, 2 * link)).Within(1e-9).Percent, "two ranks of each stage");
        Assert.That(waiting, Is.EqualTo(2 * (memory + link)).Within(1e-9).Percent, "two of four devices at any time");

        var whole = Decode(1, 1, work, new(1e9, Unlimited, 1e9))!.Value;
        Assert.That(whole.DeviceSeconds, Is.EqualTo(new PhaseSeconds(1 / whole.TokensPerSecond, 0, 0)), "one device does nothing else");
    }

    [Test]
    public void UnevenMicroBatchesCountWhatTheyHold()
    {
        var device = new DeviceRates(Unlimited, Unlimited, 4096 * 4);       // a row of activations a second
        var work = new PlannedWork { BatchSize = 7, MaxLength = 2 };
        Assert.That(Decode(1, 2, work, device)!.Value.TokensPerSecond, Is.EqualTo(7.0 / 8).Within(1e-6).Percent,
            "4 + 3 sequences take as long as 4 + 4");
    }

    [Test]
    public void PrefillIsBoundByComputing()
    {
        var work = new PlannedWork { BatchSize = 8, MaxLength = 512 };
        var pass = PassShape.Prefill(work, 1);
        Assert.That((pass.Rows, pass.Outputs), Is.EqualTo((1024, 2)));
        const double Flops = 1024 * (2 * 32 * Layer + 32 * 4.0 * 256 * 4096) + 2 * 2 * Head;
        var prediction = Roofline.Predict(Plan(1, 1), work, pass, s_v100)!.Value;
        Assert.That(prediction.TokensPerSecond, Is.EqualTo(1024 * 125e12 / Flops).Within(1e-9).Percent);
        Assert.That(prediction.Bound, Is.EqualTo(Bound.Compute));
    }

    [Test]
    public void WithoutALinkOnlyOneRankIsPredicted()
    {
        var work = new PlannedWork { BatchSize = 1, MaxLength = 2 };
        var device = s_v100 with { LinkBytesPerSecond = null };
        Assert.That(Decode(1, 1, work, device), Is.Not.Null);
        Assert.That(Decode(2, 1, work, device), Is.Null);
        Assert.That(Decode(1, 2, work, device), Is.Null);
    }
}
