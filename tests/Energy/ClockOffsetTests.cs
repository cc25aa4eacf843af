using Harness.Energy;
using Harness.Energy.Clocks;

namespace Harness.Tests.Energy;

public class ClockOffsetTests
{
    [Test]
    public void The_true_offset_lies_within_the_uncertainty_whatever_the_network_does([Range(1, 20)] int seed)
    {
        const double truth = -1234.5678;
        var random = new Random(seed);
        var clock = new SimulatedClock { Seconds = 50 };
        var offset = ClockOffset.Measure(clock, () =>
        {
            clock.Seconds += 20e-6 + 2e-3 * Math.Pow(random.NextDouble(), 3);   // there
            var answer = clock.Seconds + truth;
            clock.Seconds += 20e-6 + (seed % 2 == 0 ? 9e-3 : 1e-4) * Math.Pow(random.NextDouble(), 3);   // and back, by another route
            return answer;
        });
        Assert.That(Math.Abs(offset.OffsetSeconds - truth), Is.LessThanOrEqualTo(offset.UncertaintySeconds));
        Assert.That(offset.UncertaintySeconds, Is.LessThan(1e-3), "the fastest of many round trips");
    }

    [Test]
    public void The_fastest_round_trip_decides()
    {
        RoundTrip[] trips = [new(0, 110.4, 1), new(10, 120.05, 10.1), new(20, 130.9, 21)];
        var offset = ClockOffset.Estimate(trips);
        Assert.That(offset.OffsetSeconds, Is.EqualTo(110).Within(1e-9));
        Assert.That(offset.UncertaintySeconds, Is.EqualTo(0.05).Within(1e-9));
        Assert.That(() => ClockOffset.Estimate([]), Throws.ArgumentException);
    }

    [Test]
    public void A_clock_that_drifts_is_followed_between_two_measurements()
    {
        var map = new ClockMap(new ClockOffset(5, 1e-4, 100), new ClockOffset(5.002, 3e-4, 1100));
        Assert.That(map.ToRunClock(100), Is.EqualTo(105).Within(1e-12));
        Assert.That(map.ToRunClock(600), Is.EqualTo(605.001).Within(1e-9));
        Assert.That(map.ToRunClock(1100), Is.EqualTo(1105.002).Within(1e-9));
        Assert.That(map.UncertaintySeconds, Is.EqualTo(3e-4));
        Assert.That(new ClockMap(ClockOffset.Zero, ClockOffset.Zero).ToRunClock(7), Is.EqualTo(7));
    }

    [Test]
    public void Series_are_moved_onto_the_runs_clock()
    {
        var series = new SampleSeries(SimulatedSensor.Gpu("g"), 1, [new() { TimeSeconds = 1, PowerWatts = 5 }, new() { TimeSeconds = 2 }]);
        Assert.That(series.OnClock(t => t + 10).Readings,
            Is.EqualTo(new EnergyReading[] { new() { TimeSeconds = 11, PowerWatts = 5 }, new() { TimeSeconds = 12 } }));
    }
}
