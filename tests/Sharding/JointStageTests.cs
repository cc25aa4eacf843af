using System.Diagnostics;
using Harness.Sharding.Communicators;
using Harness.Sharding.Launch;

namespace Harness.Tests.Sharding;

/// <summary>Ranks as threads that go through a stage each at its own pace.</summary>
[CancelAfter(120_000)]
public sealed class JointStageTests
{
    private static readonly TimeSpan s_beat = TimeSpan.FromMilliseconds(1);

    [Test]
    public void WhoWaitsHearsThatTheOthersLive()
    {
        var signs = new int[3];
        ThreadWorld.Run(3, world =>
        {
            var stage = new JointStage(world, () => false, () => Interlocked.Increment(ref signs[world.Rank]), s_beat);
            // Ranks 0 and 2 have nothing to do, and hear again and again that rank 1 goes on.
            if (world.Rank == 1) Work(stage, until: () => Volatile.Read(ref signs[0]) >= 5 && Volatile.Read(ref signs[2]) >= 5);
            Assert.That(stage.End(early: false), Is.False);
        });
    }

    [Test]
    public void OneSilentRankIsNoSignOfLifeWhateverOthersSay()
    {
        var (signs, enough) = (0, 0);
        ThreadWorld.Run(3, world =>
        {
            var words = 0;
            var stage = new JointStage(world, () => false, () => { if (world.Rank == 0) Interlocked.Increment(ref signs); }, s_beat);
            if (world.Rank == 2) Work(stage, until: () => ++words == 50);
            if (world.Rank == 2) Volatile.Write(ref enough, Volatile.Read(ref signs) + 1);
            if (world.Rank == 1) Assert.That(SpinWait.SpinUntil(() => Volatile.Read(ref enough) > 0, 60_000));
            stage.End(early: false);
        });
        Assert.That(enough - 1, Is.Zero, "rank 1 had not said a word yet");
    }

    /// <summary>Else a dead rank would never be noticed while rank 0 has work of its own.</summary>
    [Test]
    public void Rank0sOwnWorkIsNoSignOfLifeWhileAnotherRankIsSilent()
    {
        var (signs, looked) = (0, 0);
        ThreadWorld.Run(2, world =>
        {
            var words = 0;
            var stage = new JointStage(world, () => false, () => { if (world.Rank == 0) Interlocked.Increment(ref signs); }, s_beat);
            if (world.Rank == 0) Work(stage, until: () => ++words == 50);
            if (world.Rank == 0) Volatile.Write(ref looked, Volatile.Read(ref signs) + 1);
            if (world.Rank == 1) Assert.That(SpinWait.SpinUntil(() => Volatile.Read(ref looked) > 0, 60_000));
            stage.End(early: false);
        });
        Assert.That(looked - 1, Is.Zero);
    }

    [TestCase(0)]
    [TestCase(2)]
    public void AStopThatOneRankHearsEndsTheWorkOfAll(int told)
    {
        var ended = 0;
        ThreadWorld.Run(4, world =>
        {
            var stage = new JointStage(world, () => world.Rank == told, () => { }, s_beat);
            Work(stage, until: () => stage.IsToStop);
            if (stage.End(early: true)) Interlocked.Increment(ref ended);
        });
        Assert.That(ended, Is.EqualTo(4));
    }

    [Test]
    public void WhatOneGivesUpAllKnowAndTheNextStageBeginsAnew()
    {
        ThreadWorld.Run(4, world =>
        {
            for (var round = 0; round < 20; round++)
            {
                var stage = new JointStage(world, () => false, () => { }, s_beat);
                stage.Alive();
                Assert.That(stage.End(early: round % 2 == 0 && world.Rank == round % 4), Is.EqualTo(round % 2 == 0));
            }
        });
    }

    [Test]
    public void ARankThatFailsIsNoticedByThoseThatWait() => Assert.That(() => ThreadWorld.Run(3, world =>
    {
        if (world.Rank == 1) throw new InvalidOperationException("the first");
        new JointStage(world, () => false, () => { }, s_beat).End(early: false);
    }), Throws.InvalidOperationException.With.Message.EqualTo("the first"));

    /// <summary>Goes on and says so.</summary>
    private static void Work(JointStage stage, Func<bool> until)
    {
        for (var limit = Stopwatch.StartNew(); !until(); Thread.Sleep(1))
        {
            Assert.That(limit.Elapsed.TotalSeconds, Is.LessThan(60), "nothing was heard");
            stage.Alive();
        }
    }
}
