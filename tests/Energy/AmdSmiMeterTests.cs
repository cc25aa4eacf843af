using System.Buffers.Binary;
using System.Diagnostics;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.AmdSmi;
using Harness.Energy.Meters;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

/// <summary>The binding to AMD SMI on a library of our own that has its entry points, and on files laid out like the driver's.</summary>
[Parallelizable]
public class AmdSmiMeterTests
{
    private static readonly string[] s_twoMi300 = ["version 26", "device 0 uuid aaaa0000", "device 1 uuid bbbb1111"];

    private string _root = "";

    [SetUp]
    public void CreateRoot() => _root = Directory.CreateTempSubdirectory("harness-amdsmi-").FullName;

    [TearDown]
    public void DeleteRoot() => Directory.Delete(_root, recursive: true);

    [Test]
    public void Every_device_of_the_node_has_its_joules_its_watts_and_its_state()
    {
        Gpu(0xc1, "0x74a1", "AMD Instinct MI300X", "00aa11");
        using var meter = OpenAll([.. s_twoMi300, "device 0 ramp 500 500 10"]);
        Assert.That(meter.Domains.Select(domain => (domain.Device, domain.Kind, domain.Source, domain.Name)), Is.EqualTo(new[]
        {
            ("aaaa0000", DomainKind.Gpu, "amdsmi", "AMD Instinct MI300X"), ("bbbb1111", DomainKind.Gpu, "amdsmi", ""),
        }));
        var reading = Until(meter, reading => reading.TemperatureCelsius != null);
        Assert.That((reading.PowerWatts, reading.PowerField), Is.EqualTo((500.0, PowerField.Instant)));
        Assert.That(reading.EnergyJoules, Is.GreaterThanOrEqualTo(1000).And.LessThan(1000 + 500 * 600));
        Assert.That((reading.TemperatureCelsius, reading.MemoryUsedBytes, reading.ThrottleReasons), Is.EqualTo((61, 12_345L, 0UL)));
        Assert.That(meter.Inspect([])[0].MemoryTotalBytes, Is.EqualTo(205_000_000_000));
    }

    /// <summary>amdsmi.h of ROCm 5.7 (23), 6.2 (24), 6.4 (25) and 7.0 (26).</summary>
    [Test]
    public void The_powers_are_found_in_every_versions_layout([Values(23, 24, 25, 26)] int version, [Values] bool average)
    {
        using var meter = OpenAll(average || version == 23
            ? [$"version {version}", "device 0 uuid a", "device 0 average", "device 0 ramp 250 250 5"]
            : [$"version {version}", "device 0 uuid a", "device 0 ramp 250 250 5"]);
        var reading = Read(meter)[0];
        Assert.That((reading.PowerWatts, reading.PowerField),
            Is.EqualTo((250.0, average || version == 23 ? PowerField.Unspecified : PowerField.Instant)));
    }

    [Test]
    public void Of_two_dies_the_one_that_shows_the_power_of_both_is_counted_once()
    {
        foreach (var bus in (int[])[0xc1, 0xc6, 0xc9, 0xce]) Gpu(bus, "0x7408", "AMD INSTINCT MI250X", $"{bus:x}");
        string[] script = ["version 24", .. Enumerable.Range(0, 4).Select(i => $"device {i} uuid die{i}"), "device 0 bus c1", "device 1 bus c6",
            "device 2 bus c9", "device 3 bus ce", "device 1 mute", "device 3 mute", "device 0 ramp 400 400 5", "device 2 ramp 300 300 5"];
        using (var all = OpenAll(script))
        {
            Assert.That(all.Domains.Select(domain => (domain.Device, domain.Name)), Is.EqualTo(new[]
            {
                ("die0", "AMD INSTINCT MI250X (both dies)"), ("die2", "AMD INSTINCT MI250X (both dies)"),
            }));
            Assert.That(Read(all).Select(reading => reading.PowerWatts), Is.EqualTo(new double?[] { 400, 300 }));
        }
        using var ofRank = AmdSmiMeter.OpenForRank("n", new MonotonicClock(), 1, new(null, "2,3"), Places(script));
        Assert.That(ofRank.Domains.Single().Device, Is.EqualTo("die2"), "local rank 1 computes on die 3");
    }

    [TestCase(null, null, 0, "d0")]
    [TestCase(null, null, 5, "d1")]
    [TestCase(null, "2,1", 0, "d2")]
    [TestCase("3,1", "1", 0, "d1", Description = "HIP counts what the runtime below shows")]
    [TestCase("GPU-00000000000000c3", null, 0, "d2")]
    [TestCase("GPU-c3", null, 0, "d2")]
    [TestCase("7", null, 0, null)]
    [TestCase("1,7,2", "1", 0, null, Description = "the first invalid entry hides those after it")]
    [TestCase(null, "", 0, null)]
    public void A_rank_reads_the_device_that_HIP_shows_it(string? rocr, string? hip, int localRank, string? device)
    {
        for (var i = 0; i < 4; i++) Gpu(0xc1 + i, "0x74a1", "", $"{0xc1 + i:x16}");
        using var meter = AmdSmiMeter.OpenForRank("n", new MonotonicClock(), localRank, new(rocr, hip),
            Places(["version 26", .. Enumerable.Range(0, 4).Select(i => $"device {i} uuid d{i}")]));
        Assert.That(meter.Domains.SingleOrDefault()?.Device, Is.EqualTo(device));
        if (device == null) Assert.That(meter.Notices.Single(), Does.Contain("no GPU is visible").And.Contain(rocr ?? hip));
    }

    [Test]
    public void Heat_is_seen_by_the_counts_of_violations_and_on_older_devices_by_their_metrics()
    {
        using (var newer = OpenAll("version 26", "device 0 uuid a", "device 0 hot 0 100000"))
        {
            var hot = Until(newer, reading => reading.ThrottleReasons is > 0);
            Assert.That(hot.ThrottleReasons & ThrottleReasons.Spoiling, Is.EqualTo(ThrottleReasons.HardwareThermalSlowdown));
        }
        Gpu(0xc1, "0x740f", "AMD Instinct MI210", "1");
        string[] mi210 = ["version 24", "device 0 uuid a", "device 0 violations 0"];
        foreach (var (bit, expected) in (ReadOnlySpan<(int, ulong)>)
            [(36, ThrottleReasons.HardwareThermalSlowdown), (47, ThrottleReasons.HardwareThermalSlowdown), (0, ThrottleReasons.SoftwarePowerCap)])
        {
            Metrics(0xc1, 1UL << bit);
            using var older = OpenAll(mi210);
            Assert.That(Until(older, reading => reading.ThrottleReasons != null).ThrottleReasons, Is.EqualTo(expected), $"bit {bit}");
        }
    }

    [Test]
    public void Processes_of_others_on_the_device_are_counted_by_the_compute_drivers_list()
    {
        Gpu(0xc1, "0x74a1", "", "1");
        using var meter = OpenAll("version 26", "device 0 uuid a");
        Assert.That(meter.Inspect([1, 2]).Single().ForeignProcesses, Is.Null, "without the list it cannot be told");
        Write("kfd/topology/nodes/0/properties", "cpu_cores_count 64\nlocation_id 0\ndomain 0");
        Write("kfd/topology/nodes/0/gpu_id", "0");
        Write("kfd/topology/nodes/1/properties", $"simd_count 304\nlocation_id {0xc1 << 8}\ndomain 0");
        Write("kfd/topology/nodes/1/gpu_id", "51987");
        Write("kfd/proc/1/vram_51987", "4096");
        Write("kfd/proc/77/vram_51987", "8192");
        Write("kfd/proc/78/vram_51987", "0");
        Write("kfd/proc/79/vram_4711", "8192");
        Assert.That(meter.Inspect([1, 2]).Single().ForeignProcesses, Is.EqualTo(1));
    }

    [Test]
    public void A_library_that_is_absent_or_does_not_start_is_named()
    {
        using var absent = AmdSmiMeter.OpenAll("n", new MonotonicClock(), new("/nowhere/libamd_smi.so"));
        Assert.That(absent.Notices.Single(), Does.Contain("/nowhere/libamd_smi.so").And.Contain("ROCm"));
        using var refused = OpenAll("init 10");
        Assert.That(refused.Notices.Single(), Does.Contain("AMDSMI_STATUS_NO_PERM"));
    }

    /// <summary>In real time through the real sampler; then a counter that runs backward, as in ROCm/amdsmi's issue 115.</summary>
    [Test]
    [Retry(3)]   // a machine too busy to read at an edge spoils that edge
    public void Window_energy_is_the_scripted_integral_and_a_counter_that_falls_is_not_believed()
    {
        var curve = ScriptedCurve.Ramp(300, 700, 2);
        using var library = new FakeAmdSmi(_root, ["version 26", "device 0 uuid a", "device 0 ramp 300 700 2", "device 1 uuid b",
            "device 1 back 3.5 200"]);
        var clock = new MonotonicClock();
        using var meter = AmdSmiMeter.OpenAll("n", clock, library.Places);
        var characteristics = SensorCharacteristics.Measure(meter, clock);
        using var sampler = new EnergySampler(meter, clock, 0.05, characteristics);
        sampler.Start();
        var start = sampler.MarkEdge();
        clock.Wait(start + 5, wake: null);
        var end = sampler.MarkEdge();
        clock.Wait(end + 0.5, wake: null);
        sampler.Stop();
        var account = Accounting.Of(sampler.Series(0), characteristics, 0.05);
        var devices = account.Resolve(new("window", WindowKind.Measured, start, end, 1)).Devices;
        var offset = clock.OriginTicks / (double)Stopwatch.Frequency - library.OriginSeconds;
        var truth = curve.Between(start + offset, end + offset);
        Assert.That(devices[0].CounterJoules, Is.EqualTo(truth).Within(0.5).Percent);
        Assert.That(devices[0].PowerJoules, Is.EqualTo(truth).Within(0.5).Percent);
        Assert.That(devices[0].InvalidReasons, Is.Empty);
        if (start + offset < 3.4) Assert.That(devices[1].InvalidReasons, Does.Contain(InvalidReason.CounterDecreased));
    }

    private static EnergyReading[] Read(IEnergyMeter meter)
    {
        var readings = new EnergyReading[meter.Domains.Count];
        meter.Read(readings);
        return readings;
    }

    /// <summary>The first device's reading that is so; the watching thread has looked by then.</summary>
    private static EnergyReading Until(IEnergyMeter meter, Func<EnergyReading, bool> isSo)
    {
        var waited = Stopwatch.StartNew();
        while (waited.Elapsed < TimeSpan.FromMinutes(1))
        {
            var reading = Read(meter)[0];
            if (isSo(reading)) return reading;
            Thread.Sleep(5);
        }
        throw new AssertionException("no such reading within a minute");
    }

    private IEnergyMeter OpenAll(params string[] script) => AmdSmiMeter.OpenAll("n", new MonotonicClock(), Places(script));

    private AmdSmiPlaces Places(string[] script) => new FakeAmdSmi(_root, script).Places;

    private void Gpu(int bus, string deviceId, string name, string uniqueId)
    {
        foreach (var (file, content) in (ReadOnlySpan<(string, string)>)
            [("device", deviceId), ("product_name", name), ("unique_id", uniqueId), ("mem_info_vram_used", "12345"),
             ("mem_info_vram_total", "205000000000")])
            Write($"devices/0000:{bus:x2}:00.0/{file}", content);
    }

    private void Metrics(int bus, ulong reasons)
    {
        var metrics = new byte[120];
        BinaryPrimitives.WriteUInt16LittleEndian(metrics, 120);
        (metrics[2], metrics[3]) = (1, 3);
        BinaryPrimitives.WriteUInt64LittleEndian(metrics.AsSpan(112), reasons);
        File.WriteAllBytes(Path.Combine(_root, $"devices/0000:{bus:x2}:00.0/gpu_metrics"), metrics);
    }

    private void Write(string file, string content)
    {
        var path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content + "\n");
    }
}
