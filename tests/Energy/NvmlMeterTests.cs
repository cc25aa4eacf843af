using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Nvml;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

/// <summary>The binding against the fake library, loaded into this process by its path.</summary>
public class NvmlMeterTests
{
    private static readonly MonotonicClock s_clock = new(0);

    [Test]
    public void Reads_every_value_in_its_unit()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-11111111", "device 0 name NVIDIA H100 80GB HBM3",
            "device 0 curve constant 250.5", "device 0 base_mj 7200000123", "device 0 temperature 61 61 1", "device 0 throttle 4 0 1e9");
        using var meter = NvmlMeter.OpenForRank("node7", s_clock, 0, null, fake.Library);
        Assert.That(meter.Domains,
            Is.EqualTo(new[] { new EnergyDomain("node7", "GPU-11111111", DomainKind.Gpu, "nvml", "NVIDIA H100 80GB HBM3") }));

        var reading = Read(meter)[0];
        // 7200000.123 J before second 0, then 250.5 W; the sensor is at most 20 ms old
        var elapsed = reading.TimeSeconds - fake.OriginSeconds;
        Assert.That(reading.EnergyJoules, Is.EqualTo(7200000.123 + 250.5 * (elapsed - 0.01)).Within(250.5 * 0.02));
        Assert.That(reading.PowerWatts, Is.EqualTo(250.5));
        Assert.That(reading.PowerField, Is.EqualTo(PowerField.Instant));
        Assert.That(reading.TemperatureCelsius, Is.EqualTo(61));
        Assert.That(reading.SmClockMhz, Is.EqualTo(1980));
        Assert.That(reading.MemoryClockMhz, Is.EqualTo(2619));
        Assert.That(reading.UtilizationPercent, Is.EqualTo(87));
        Assert.That(reading.ThrottleReasons, Is.EqualTo(ThrottleReasons.SoftwarePowerCap));
        Assert.That(reading.PowerLimitWatts, Is.EqualTo(700));
        Assert.That(reading.MemoryUsedBytes, Is.EqualTo(14L << 30));

        var second = Read(meter)[0];
        Assert.That(second.TemperatureCelsius, Is.Null, "slow values come once a second");
        Assert.That(second.EnergyJoules, Is.Not.Null);
    }

    [TestCase("instant 1", "average 1", PowerField.Instant)]
    [TestCase("instant 0", "average 1", PowerField.Average1s)]
    [TestCase("fields 0", "architecture 5", PowerField.Instant, Description = "Volta, by nvmlDeviceGetPowerUsage")]
    [TestCase("fields 0", "architecture 9", PowerField.Average1s, Description = "Hopper, by nvmlDeviceGetPowerUsage")]
    public void Records_which_power_it_read(string one, string other, PowerField expected)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", $"device 0 {one}", $"device 0 {other}", "device 0 curve constant 120");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        var reading = Read(meter)[0];
        Assert.That(reading.PowerField, Is.EqualTo(expected));
        Assert.That(reading.PowerWatts, Is.EqualTo(120));
        Assert.That(reading.EnergyJoules, Is.Not.Null, "the counter has a call of its own where field values are unknown");
    }

    /// <summary>
    /// nvml.h: the field values of power take the scope in scopeId, 0 for the GPU and 1 for the module; the counter has none, and on a
    /// GH200 is the module's (ml-energy/zeus 172).
    /// </summary>
    [TestCase("instant 1", PowerField.Instant)]
    [TestCase("instant 0", PowerField.Average1s)]
    public void On_a_superchip_the_power_of_GPU_and_module_are_read_in_one_field(string instant, PowerField field)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 name NVIDIA GH200 480GB", "device 0 curve constant 400",
            "device 0 module_w 250", $"device 0 {instant}", "device 0 pci 0009:01:00.0");
        var node = Directory.CreateDirectory(Path.Combine(fake.Folder, "pci", "0009:01:00.0"));
        File.WriteAllText(Path.Combine(node.FullName, "numa_node"), "1\n");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library, Path.Combine(fake.Folder, "pci"));
        Assert.That(meter.Domains.Single().Module, Is.EqualTo("module-1"));
        var first = Read(meter)[0];
        Assert.That((first.PowerWatts, first.ModulePowerWatts, first.PowerField), Is.EqualTo((400.0, 650.0, field)));
        s_clock.Wait(s_clock.Seconds + 0.3, null);
        var second = Read(meter)[0];
        Assert.That((second.EnergyJoules - first.EnergyJoules) / (second.TimeSeconds - first.TimeSeconds),
            Is.EqualTo(650).Within(15).Percent);
    }

    [Test]
    public void A_board_that_is_no_superchip_has_no_module()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 pci 0009:01:00.0");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        Assert.That((meter.Domains.Single().Module, Read(meter)[0].ModulePowerWatts), Is.EqualTo(((string?)null, (double?)null)));
    }

    [TestCase("A100-SXM4-80GB", PowerField.Instant)]
    [TestCase("NVIDIA A30", PowerField.Instant)]
    [TestCase("NVIDIA A40", PowerField.Average1s)]
    [TestCase("NVIDIA RTX A3000", PowerField.Average1s)]
    public void On_Ampere_power_usage_is_instantaneous_on_GA100_alone(string name, PowerField expected)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", $"device 0 name {name}", "device 0 architecture 7", "device 0 fields 0");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        Assert.That(Read(meter)[0].PowerField, Is.EqualTo(expected));
    }

    [Test]
    public void A_value_that_is_not_there_is_absent()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 counter 0");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        var reading = Read(meter)[0];
        Assert.That(reading.EnergyJoules, Is.Null);
        Assert.That(reading.PowerWatts, Is.EqualTo(100));
        Assert.That(reading.IsLost, Is.False);
    }

    [Test]
    public void Errors_after_some_calls_give_lost_readings_and_no_exception()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 fail_after 3 15");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        var lost = Enumerable.Range(0, 5).Select(_ => Read(meter)[0].IsLost).ToArray();
        Assert.That(lost, Is.EqualTo(new[] { false, false, false, true, true }));
    }

    [TestCase(null, 0, "GPU-aaaa")]
    [TestCase(null, 1, "GPU-bbbb")]
    [TestCase(null, 4, "GPU-bbbb", Description = "local rank modulo three devices")]
    [TestCase("2,0", 0, "GPU-bbcc")]
    [TestCase("2,0", 1, "GPU-aaaa")]
    [TestCase("GPU-bbbb,GPU-aaaa", 0, "GPU-bbbb")]
    [TestCase("GPU-bbc", 0, "GPU-bbcc", Description = "an unambiguous beginning")]
    [TestCase("1,7,0", 1, "GPU-bbbb", Description = "what follows an invalid entry is hidden")]
    [TestCase("GPU-bb", 0, null, Description = "ambiguous")]
    [TestCase("", 0, null)]
    [TestCase("-1", 0, null)]
    [TestCase("NoDevFiles", 0, null)]
    public void A_rank_reads_the_device_that_CUDA_gives_it(string? visible, int localRank, string? expected)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-aaaa", "device 1 uuid GPU-bbbb", "device 2 uuid GPU-bbcc");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, localRank, visible, fake.Library);
        Assert.That(meter.Domains.Select(d => d.Device), Is.EqualTo(expected == null ? [] : new[] { expected }));
        if (expected == null) Assert.That(meter.Notices.Single(), Does.Contain($"CUDA_VISIBLE_DEVICES={visible}"));
    }

    [TestCase(null, 1, "GPU-dddd")]
    [TestCase("0", 0, "GPU-bbbb", Description = "as Slurm counts inside its cgroup")]
    [TestCase("GPU-dddd", 0, "GPU-dddd")]
    [TestCase("2", 0, null)]
    public void Devices_that_the_jobs_cgroup_denies_are_not_counted(string? visible, int localRank, string? expected)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-aaaa", "device 0 denied 1", "device 1 uuid GPU-bbbb", "device 2 uuid GPU-cccc",
            "device 2 denied 1", "device 3 uuid GPU-dddd");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, localRank, visible, fake.Library);
        Assert.That(meter.Domains.Select(d => d.Device), Is.EqualTo(expected == null ? [] : new[] { expected }));
    }

    [Test]
    public void All_devices_of_a_node_are_read_whatever_CUDA_shows()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-aaaa", "device 1 uuid GPU-bbbb");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        Assert.That(meter.Domains.Select(d => d.Device), Is.EqualTo(new[] { "GPU-aaaa", "GPU-bbbb" }));
        Assert.That(Read(meter).Select(r => r.IsLost), Is.All.False);
    }

    [TestCase("MIG-12345678")]
    [TestCase("MIG-GPU-aaaa/1/0", Description = "as before driver 470")]
    public void A_MIG_slice_is_read_as_its_GPU_and_said_to_be_one(string visible)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-aaaa", "device 0 mig 1", "device 0 mig_uuid MIG-12345678");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, visible, fake.Library);
        Assert.That(meter.Domains.Single().Device, Is.EqualTo("GPU-aaaa"));
        Assert.That(meter.Inspect([])[0].MigEnabled, Is.True);
    }

    [TestCase("-1", false, Description = "a GPU without MIG")]
    [TestCase("0", false)]
    [TestCase("1", true)]
    public void Tells_whether_MIG_is_on(string mode, bool expected)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-aaaa", $"device 0 mig {mode}");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        Assert.That(meter.Inspect([])[0].MigEnabled, Is.EqualTo(expected));
    }

    [Test]
    public void Counts_processes_that_are_not_the_runs_own()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-aaaa", "device 0 processes 100 200 300",
            "device 0 limit_mw 650000 700000 200000 700000",
            $"device 1 uuid GPU-bbbb", $"device 1 processes {string.Join(' ', Enumerable.Range(1000, 100))}");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var facts = meter.Inspect([200, 300, 1005]);
        Assert.That(facts[0].ForeignProcesses, Is.EqualTo(1));
        Assert.That(facts[1].ForeignProcesses, Is.EqualTo(99), "more than fit at first");
        Assert.That(facts[0].DriverVersion, Is.EqualTo("550.54.15"));
        Assert.That((facts[0].PowerLimitWatts, facts[0].DefaultPowerLimitWatts, facts[0].MinPowerLimitWatts, facts[0].MaxPowerLimitWatts),
            Is.EqualTo((650.0, 700.0, 200.0, 700.0)));
        Assert.That(facts[0].MemoryTotalBytes, Is.EqualTo(80L << 30));
    }

    [Test]
    public void An_absent_library_is_a_state_with_a_remedy()
    {
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, "/nowhere/libnvidia-ml.so.1");
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices.Single(), Does.Contain("/nowhere/libnvidia-ml.so.1").And.Contain("HARNESS_NVML_LIBRARY"));
    }

    [Test]
    public void A_driver_that_is_not_loaded_is_a_state_with_a_remedy()
    {
        using var fake = new FakeNvml("init 9");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices.Single(), Does.Contain("Driver Not Loaded").And.Contain("nvidia-smi"));
    }

    [TestCase(0.02)]
    [TestCase(0.1)]
    public void The_sensors_update_period_is_found_out(double update)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", FormattableString.Invariant($"device 0 update {update}"),
            "device 0 curve ramp 100 400 3");
        using var meter = NvmlMeter.OpenForRank("n", s_clock, 0, null, fake.Library);
        var sensor = SensorCharacteristics.Measure(meter, s_clock).Single();
        Assert.That(sensor.Key, Is.EqualTo("n/GPU-1"));
        Assert.That(sensor.CounterUpdateSeconds, Is.EqualTo(update).Within(5).Percent);
        Assert.That(sensor.PowerUpdateSeconds, Is.EqualTo(update).Within(5).Percent);
        Assert.That(sensor.CounterStepJoules, Is.GreaterThan(0).And.LessThan(400 * update * 1.5));
    }

    [Test]
    [Retry(3)]   // a machine too busy to read adds gaps of its own
    public void A_reset_a_stall_and_a_throttle_event_are_noticed()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-reset", "device 0 base_mj 1e9", "device 0 reset_at 2.2",
            "device 1 uuid GPU-stall", "device 1 stall 2 2.9", "device 2 uuid GPU-hot", "device 2 throttle 40 2.2 2.5",
                "device 3 uuid GPU-well");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var sensors = SensorCharacteristics.Measure(meter, s_clock);
        using var sampler = new EnergySampler(meter, s_clock, 0.1, sensors);
        sampler.Start();
        s_clock.Wait(fake.OriginSeconds + 1.5, null);
        var start = sampler.MarkEdge();
        s_clock.Wait(fake.OriginSeconds + 3.2, null);
        var window = new EnergyWindow("w", WindowKind.Measured, start, sampler.MarkEdge());
        sampler.Stop();
        var account = Accounting.Of(sampler.Series(0), sensors);
        var reasons = account.Resolve(window).Devices.ToDictionary(d => d.Device, d => string.Join(';', d.InvalidReasons));
        Assert.That(reasons["GPU-reset"], Does.StartWith(InvalidReason.CounterDecreased));
        Assert.That(reasons["GPU-stall"], Is.EqualTo(InvalidReason.SampleGap));
        Assert.That(reasons["GPU-hot"], Is.EqualTo(InvalidReason.Throttled));
        Assert.That(reasons["GPU-well"], Is.Empty);
    }

    [Test]
    public void Reading_does_not_allocate()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 1 uuid GPU-2");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var readings = new EnergyReading[2];
        for (var i = 0; i < 50; i++) meter.Read(readings);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) meter.Read(readings);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static EnergyReading[] Read(IEnergyMeter meter)
    {
        var readings = new EnergyReading[meter.Domains.Count];
        meter.Read(readings);
        return readings;
    }
}
