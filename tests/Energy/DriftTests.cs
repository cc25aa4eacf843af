using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Clocks;

namespace Harness.Tests.Energy;

/// <summary>Clocks that drift apart, and one that stood still: what the joules are, by arithmetic, and whether they are believed.</summary>
[Parallelizable]
internal sealed class DriftTests
{
    /// <summary>A millisecond each second: rank 0's clock is ahead of the other node's by so much more.</summary>
    private const double Drift = 1e-3, Trip = 1e-4;

    private static readonly EnergyWindow s_window = new("measured-1", WindowKind.Measured, 100, 110, 1);

    private static ClockOffset Even(double own) => new(Drift * own, Trip, own);

    private static double OwnOf(double run) => run / (1 + Drift);

    /// <summary>
    /// From 0 W, 100 W more each second: ∫ 100 t dt from 100 s to 110 s is 105 kJ. By the node's own clock, on which seconds are longer, it
    /// would be 50 · 1.001² · (110² - 100²). Between two readings joules go along a chord, which lies 100 · 0.1² / 8 J above the curve.
    /// </summary>
    [Test]
    public void ADriftOfAMillisecondASecondIsUndone()
    {
        const double truth = 50 * (110.0 * 110 - 100 * 100);
        var map = new ClockMap(Even(0), Even(OwnOf(120)));
        Assert.That(Joules(map), Is.EqualTo(truth).Within(0.125));
        Assert.That(Joules(new(Even(0), Even(0))), Is.EqualTo(truth * 1.001 * 1.001).Within(0.125), "were it not");
        Assert.That(Reasons(map), Does.Not.Contain(InvalidReason.ClockOffset));
    }

    /// <summary>Twice as fast behind 60 s: a line from beginning to end is 32 ms off there, the offsets around the window are not.</summary>
    [Test]
    public void ADriftThatChangesIsFollowedFromOneExchangeToTheNext()
    {
        static ClockOffset At(double own) => new(own <= 60 ? Drift * own : Drift * (60 + 2 * (own - 60)), Trip, own);
        var map = new ClockMap(At(0), At(130)) { Between = [At(60), At(99), At(111)] };
        foreach (var own in new[] { 0.0, 30, 60, 80, 99, 105, 111, 125, 130, 140 })
            Assert.That(map.ToRunClock(own), Is.EqualTo(own + At(own).OffsetSeconds).Within(1e-12), $"{own}");
        // At 60 s the neighbours' line is at 138 ms · 60 / 99, which is 23.6 ms more.
        Assert.That(map.UncertaintySeconds, Is.EqualTo(0.138 * 60 / 99 - 0.060).Within(1e-12));
        Assert.That(Reasons(map), Does.Not.Contain(InvalidReason.ClockOffset), "0.5 % of 10 s are 50 ms");
    }

    /// <summary>The other node's clock stood still for 80 ms within the window: its offset jumps.</summary>
    [Test]
    public void AJumpBetweenTwoExchangesMakesTheClockUncertain()
    {
        static ClockOffset At(double own) => new(own < 105 ? 0.2 : 0.28, Trip, own);
        var map = new ClockMap(At(0), At(130)) { Between = [At(99), At(111)] };
        Assert.That(map.UncertaintySeconds, Is.GreaterThan(0.05));
        Assert.That(Reasons(map), Does.Contain(InvalidReason.ClockOffset));
    }

    /// <summary>Of a killed start the first offset alone: at 110 s clocks may be 55 ms apart, at 60 s 30 ms.</summary>
    [Test]
    public void WhatWasNotMeasuredMayHaveDrifted()
    {
        var map = new ClockMap(Even(0), Even(0));
        Assert.That(map.UncertaintyWithin(100, 110), Is.EqualTo(Trip + 500e-6 * 110).Within(1e-12));
        Assert.That(map.UncertaintyWithin(50, 60), Is.EqualTo(Trip + 500e-6 * 60).Within(1e-12));
        Assert.That(Reasons(map), Does.Contain(InvalidReason.ClockOffset));
        Assert.That(new ClockMap(ClockOffset.Zero, ClockOffset.Zero).UncertaintyWithin(100, 110), Is.Zero, "rank 0's own");
    }

    [TestCase(103, 104, true)]
    [TestCase(95, 101, true)]
    [TestCase(110, 112, false)]
    public void ASuspendedMachineIsNamed(double start, double end, bool within)
    {
        var map = new ClockMap(ClockOffset.Zero, ClockOffset.Zero);
        Assert.That(Account(map, [new("node2", start, end, 3600)]).Reasons(Account(map).Repeats[0]).Contains(InvalidReason.ClockSuspended),
            Is.EqualTo(within));
        Assert.That(Reasons(map), Does.Not.Contain(InvalidReason.ClockSuspended));
    }

    [Test]
    public void ASuspensionIsSeenAtTheNextEdge()
    {
        var clock = new SimulatedClock { Seconds = 10, SuspendedSeconds = 7200 };       // of earlier days
        var watch = new SuspensionWatch(clock, "node1");
        clock.Seconds = 20;
        clock.SuspendedSeconds += 0.0004;                                               // what a look may be off
        watch.Look();
        Assert.That(watch.Found, Is.Empty);
        clock.Seconds = 30;
        clock.SuspendedSeconds += 600;
        watch.Look();
        clock.Seconds = 40;
        watch.Look();
        Assert.That(watch.Found, Is.EqualTo(new[] { new Suspension("node1", 20, 30, 600) }));
        clock.SuspendedSeconds = null;
        watch.Look();
        Assert.That(watch.Found, Has.Count.EqualTo(1));
    }

    /// <summary>Not a second while the test looks; and less than the machine's uptime.</summary>
    [Test, Platform("Linux")]
    public void TheSystemsClocksAreCompared()
    {
        var clock = new MonotonicClock();
        var first = clock.SuspendedSeconds!.Value;
        Assert.That(first, Is.GreaterThanOrEqualTo(-0.01));
        Assert.That(clock.SuspendedSeconds!.Value, Is.EqualTo(first).Within(0.01));
    }

    private static double? Joules(ClockMap map) => Account(map).Repeats[0].Joules;

    private static IReadOnlyList<string> Reasons(ClockMap map)
    {
        var account = Account(map);
        return account.Reasons(account.Repeats[0]);
    }

    /// <summary>A device of the other node, read ten times a second by that node's clock.</summary>
    private static EnergyAccount Account(ClockMap map, IReadOnlyList<Suspension>? suspensions = null)
    {
        var gpu = SimulatedSensor.Gpu("GPU-1", "node2");
        var readings = Enumerable.Range(0, 1200).Select(i => i * 0.1).Select(own => new EnergyReading
        {
            TimeSeconds = own,
            EnergyJoules = 50 * Math.Pow(own * (1 + Drift), 2),
            ThrottleReasons = 0,
        }).ToArray();
        return new(new()
        {
            SampleIntervalSeconds = 0.1,
            Limits = new(),
            Domains = [gpu],
            Sensors = [],
            Facts = [DomainFacts.NotApplicable(gpu)],
            Ranks = [new(0, "node2", 0, [gpu.Key], map, new(0, 0, 0, null, 0, 0))],
            WorldSize = 1,
            ComputesOnGpus = true,
            RanToEnd = true,
            Suspensions = suspensions,
            Series = [new SampleSeries(gpu, 0, readings).OnClock(map.ToRunClock)],
            Windows = [s_window],
        });
    }
}
