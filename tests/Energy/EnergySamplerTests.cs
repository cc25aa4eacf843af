using System.Runtime.CompilerServices;
using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Nvml;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

public class EnergySamplerTests
{
    private static readonly SimulatedSensor s_sensor = new(SimulatedSensor.Gpu("GPU-a"), ScriptedCurve.Constant(200), 0.1);

    [Test]
    public void An_hour_of_samples_takes_the_memory_of_its_readings_and_no_more()
    {
        var clock = new SimulatedClock();
        using var meter = new SimulatedMeter(clock, s_sensor);
        using var sampler = new EnergySampler(meter, clock, 0.1, []);
        for (var i = 0; i < 100; i++) sampler.Tick();
        var heapBefore = GC.GetTotalMemory(forceFullCollection: true);
        var allocated = 0L;
        for (var i = 100; i < 36_000; i++)
        {
            // in an hour of real time the thread pool is never this late with the next chunk
            if (!SpinWait.SpinUntil(() => sampler.HasSpareMemory, 10_000)) Assert.Fail("no next chunk came");
            var before = GC.GetAllocatedBytesForCurrentThread();
            sampler.Tick();
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
        }
        var heapGrowth = GC.GetTotalMemory(forceFullCollection: true) - heapBefore;

        Assert.That(clock.Seconds, Is.EqualTo(3600).Within(0.11));
        Assert.That(allocated, Is.Zero, "bytes allocated by the loop");
        var recorded = 36_000L * Unsafe.SizeOf<EnergyReading>();
        TestContext.Out.WriteLine($"an hour at 10 Hz: {recorded / 1024} KiB of readings, the heap grew by {heapGrowth / 1024} KiB");
        Assert.That(heapGrowth, Is.LessThan(recorded + 3L * 4096 * Unsafe.SizeOf<EnergyReading>()), "readings and unfinished chunks");
        Assert.That(sampler.Series(3).Single().Readings, Has.Count.EqualTo(36_001));
    }

    [Test]
    public void Deadlines_do_not_drift_however_late_single_samples_are()
    {
        var clock = new SimulatedClock { Seconds = 5 };
        var random = new Random(4);
        using var meter = new SimulatedMeter(clock, s_sensor);
        using var sampler = new EnergySampler(meter, clock, 0.1, []);
        for (var i = 0; i < 1000; i++)
        {
            sampler.Tick();
            clock.Seconds += random.NextDouble() * 0.04;   // what reading took
        }
        var times = sampler.Series(0).Single().Readings.Select(r => r.TimeSeconds).ToList();
        for (var k = 0; k < times.Count; k++) Assert.That(times[k], Is.EqualTo(5 + 0.1 * k).Within(1e-9), $"sample {k}");
        Assert.That(sampler.Cost.MissedDeadlines, Is.Zero);
    }

    [Test]
    public void Deadlines_that_pass_while_the_machine_sleeps_are_counted_not_caught_up()
    {
        var clock = new SimulatedClock();
        using var meter = new SimulatedMeter(clock, s_sensor);
        using var sampler = new EnergySampler(meter, clock, 0.1, []);
        sampler.Tick();
        clock.Seconds = 1.05;
        sampler.Tick();
        sampler.Tick();
        Assert.That(sampler.Series(0).Single().Readings.Select(r => r.TimeSeconds), Is.EqualTo(new[] { 0, 0.1, 1.05, 1.1 }).Within(1e-9));
        Assert.That(sampler.Cost.MissedDeadlines, Is.EqualTo(8));
        Assert.That(sampler.Cost.LatestSeconds, Is.EqualTo(0.85).Within(1e-9));
    }

    [Test]
    public void After_an_edge_it_reads_densely_until_the_counter_has_moved_and_no_longer()
    {
        var clock = new SimulatedClock { Seconds = 1 };
        using var meter = new SimulatedMeter(clock, s_sensor);
        using var sampler = new EnergySampler(meter, clock, 0.1, [new SensorCharacteristics(s_sensor.Domain.Key, 0.1, 1, 0.1, 0.001)]);
        clock.Seconds = 1.05;
        Assert.That(sampler.MarkEdge(), Is.EqualTo(1.05));
        while (clock.Seconds < 1.5) sampler.Tick();
        var times = sampler.Series(0).Single().Readings.Select(r => r.TimeSeconds).ToList();
        // the sensor updates at 1.1037: until then every 5 ms, then every 100 ms
        var dense = times.Where(t => t is > 1.05 and < 1.15).ToList();
        Assert.That(dense, Has.Count.InRange(10, 14));
        Assert.That(dense.Max(), Is.InRange(1.1037, 1.1087));
        Assert.That(times.Where(t => t > 1.15), Is.EqualTo(new[] { 1.2, 1.3, 1.4, 1.5 }).Within(1e-9));
    }

    [Test]
    public void After_an_edge_that_no_counter_follows_it_returns_to_its_interval()
    {
        var clock = new SimulatedClock { Seconds = 1 };
        using var meter = new SimulatedMeter(clock, s_sensor with { Alter = r => r with { EnergyJoules = 7 } });
        using var sampler = new EnergySampler(meter, clock, 0.1, [new SensorCharacteristics(s_sensor.Domain.Key, 0.1, 1, 0.1, 0.001)]);
        clock.Seconds = 1.05;
        sampler.MarkEdge();
        for (var i = 0; i < 100 && clock.Seconds < 2; i++) sampler.Tick();
        Assert.That(sampler.Series(0).Single().Readings.Select(r => r.TimeSeconds).Where(t => t > 1.25),
            Is.EqualTo(new[] { 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0 }).Within(1e-9));
    }

    [Test]
    public void A_reading_shown_twice_is_recorded_once()
    {
        var clock = new SimulatedClock();
        using var meter = new SimulatedMeter(clock, s_sensor with { Alter = r => r with { TimeSeconds = Math.Floor(r.TimeSeconds + 1e-9) } });
        using var sampler = new EnergySampler(meter, clock, 0.1, []);
        while (clock.Seconds < 3.95) sampler.Tick();
        Assert.That(sampler.Series(0).Single().Readings.Select(r => r.TimeSeconds), Is.EqualTo(new[] { 0.0, 1, 2, 3, 4 }));
    }

    [TestCase(0.0)]
    [TestCase(-0.1)]
    [TestCase(double.NaN)]
    [TestCase(3600.0)]
    public void An_interval_that_makes_no_sense_is_refused(double interval)
    {
        var clock = new SimulatedClock();
        using var meter = new SimulatedMeter(clock, s_sensor);
        Assert.That(() => new EnergySampler(meter, clock, interval, []),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("interval"));
    }

    [Test]
    public void Its_own_cost_is_measured([Values(0.1, 0.01)] double interval)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 update 0.1");
        var clock = new MonotonicClock();
        using var meter = NvmlMeter.OpenAll("n", clock, fake.Library);
        using var sampler = new EnergySampler(meter, clock, interval, []);
        sampler.Start();
        clock.Wait(clock.Seconds + 3, null);
        sampler.Stop();
        var cost = sampler.Cost;
        TestContext.Out.WriteLine(FormattableString.Invariant(
            $"{1 / interval} Hz: {cost.CpuSeconds / cost.Samples * 1e6:F1} µs a sample, {cost.CoreFraction:P4} of a core, at most {cost.LatestSeconds * 1e3:F1} ms late, {cost.AllocatedBytes} B allocated"));
        Assert.That(cost.Samples, Is.GreaterThan(0.1 * 3 / interval));
        Assert.That(cost.CpuSeconds, Is.GreaterThan(0));
        // The runtime allocates a little, once, for a thread that waits; a reading for each sample would be far more.
        Assert.That(cost.AllocatedBytes, Is.LessThan(16_384 + cost.Samples * 8), "nothing for each sample");
    }

    /// <summary>
    /// A repeat's joules are asked for while the sampler goes on: the edge is known once the sensor has shown its next update.
    /// </summary>
    [Test]
    public void A_window_is_known_once_the_sampler_has_settled([Values(0.1, 0.02, 0.001)] double update, [Values] bool hasCounter)
    {
        var clock = new MonotonicClock();
        var sensor = s_sensor with { UpdateSeconds = update, Curve = ScriptedCurve.Steps(190, 210, 0.31), HasCounter = hasCounter };
        using var meter = new SimulatedMeter(clock, sensor);
        var sensors = SensorCharacteristics.Measure(meter, clock);
        using var sampler = new EnergySampler(meter, clock, 0.1, sensors);
        sampler.Start();
        for (var repeat = 1; repeat <= 3; repeat++)
        {
            var start = sampler.MarkEdge();
            clock.Wait(start + 0.25, null);
            var window = new EnergyWindow("w", WindowKind.Measured, start, sampler.MarkEdge(), repeat);
            sampler.Settle();
            var account = Accounting.Of(sampler.Series(0), sensors);
            Assert.That(account.Resolve(window).Joules, Is.Not.Null, $"repeat {repeat}");
        }
    }

    [Test]
    public void A_sensor_that_never_updates_again_is_not_waited_for()
    {
        var clock = new MonotonicClock();
        using var meter = new SimulatedMeter(clock, s_sensor with { UpdateSeconds = 0.02, Alter = r => r with { EnergyJoules = 7 } });
        using var sampler = new EnergySampler(meter, clock, 0.01, [new SensorCharacteristics(s_sensor.Domain.Key, 0.02, 1, 0.02, 0.001)]);
        sampler.Start();
        var edge = sampler.MarkEdge();
        sampler.Settle();
        Assert.That(clock.Seconds, Is.GreaterThan(edge + 0.025), "one update and a quarter");
        sampler.Stop();
    }

    [Test]
    public void Each_reader_takes_what_it_has_not_seen()
    {
        var clock = new SimulatedClock();
        using var meter = new SimulatedMeter(clock, s_sensor);
        using var sampler = new EnergySampler(meter, clock, 1, []);
        var (journal, rank0) = (new SampleBookmark(), new SampleBookmark());
        double[] Taken(SampleBookmark bookmark) => [.. sampler.TakeNew(3, bookmark).Single().Readings.Select(r => r.TimeSeconds)];
        sampler.Tick();
        Assert.That(Taken(journal), Is.EqualTo(new[] { 0.0, 1 }));
        sampler.Tick();
        Assert.That(Taken(journal), Is.EqualTo(new[] { 2.0 }));
        Assert.That(Taken(rank0), Is.EqualTo(new[] { 0.0, 1, 2 }));
        Assert.That(Taken(rank0), Is.Empty);
    }
}
