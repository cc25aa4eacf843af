using Harness.Energy;
using Harness.Energy.Meters;

namespace Harness.Tests.Energy;

/// <summary>On a directory tree laid out like /sys/class/powercap.</summary>
public class RaplMeterTests
{
    private string _root = "";

    [SetUp]
    public void CreateRoot() => _root = Directory.CreateTempSubdirectory("harness-rapl-").FullName;

    [TearDown]
    public void DeleteRoot() => Directory.Delete(_root, recursive: true);

    [Test]
    public void Reads_packages_memory_and_platform_and_counts_each_once()
    {
        Zone("intel-rapl:0", "package-0", 1_500_000);
        Zone("intel-rapl:0/intel-rapl:0:0", "core", 1);
        Zone("intel-rapl:0/intel-rapl:0:1", "dram", 250_000);
        Zone("intel-rapl:1", "package-1", 2_000_000);
        Zone("intel-rapl:1/intel-rapl:1:0", "dram", 750_000);
        Zone("intel-rapl:2", "psys", 9_000_000);
        Zone("intel-rapl:0:0", "core", 1);          // sysfs lists nested zones a second time beside the packages
        Zone("intel-rapl:0:1", "dram", 250_000);
        Zone("intel-rapl-mmio:0", "package-0", 77);  // the same package by another interface
        Directory.CreateDirectory(Path.Combine(_root, "intel-rapl"));

        using var meter = Open();
        Assert.That(meter.Domains.Select(d => (d.Device, d.Kind)), Is.EqualTo(new[]
        {
            ("package-0", DomainKind.Package), ("dram-0", DomainKind.Dram), ("package-1", DomainKind.Package),
            ("dram-1", DomainKind.Dram), ("psys", DomainKind.Node),
        }));
        Assert.That(Joules(meter), Is.EqualTo(new double?[] { 1.5, 0.25, 2, 0.75, 9 }));
        Assert.That(meter.Notices, Is.Empty);
    }

    [Test]
    public void A_wrap_at_the_counters_range_is_undone_again_and_again()
    {
        Zone("intel-rapl:0", "package-0", 262_000_000, range: 262_143_328_850 / 1000);
        using var meter = Open();
        var energy = Path.Combine(_root, "intel-rapl:0", "energy_uj");
        var seen = new List<double>();
        foreach (var microjoules in (long[])[262_100_000, 856_671, 200_000_000, 1_000_000])
        {
            File.WriteAllText(energy, microjoules + "\n");
            seen.Add(Joules(meter)[0]!.Value);
        }
        // range 262.143328 J: 262.1, then 0.856671 after one wrap, 200 in the same round, 1.0 after a second wrap
        Assert.That(seen, Is.EqualTo(new[] { 262.1, 262.143328 + 0.856671, 262.143328 + 200, 2 * 262.143328 + 1 }).Within(1e-6));
    }

    /// <summary>
    /// A suspend, or the module loaded anew: from 50,000 J to 0.005 J within a tenth of a second. As a wrap of 262 kJ it would be
    /// 212 kJ, 2 MW, where the largest socket draws 500 W. Near the top of the range, 0.9 J in that time are a wrap.
    /// </summary>
    [TestCase(50_000_000_000, 5_000, false)]
    [TestCase(262_143_000_000, 571_150, true)]
    public void A_fall_is_a_wrap_only_where_a_socket_can_have_drawn_it(long before, long after, bool isWrap)
    {
        Zone("intel-rapl:0", "package-0", before);
        var clock = new SimulatedClock();
        using var meter = RaplMeter.Open("node1", clock, _root, _root);
        clock.Seconds = 0.1;
        File.WriteAllText(Path.Combine(_root, "intel-rapl:0", "energy_uj"), after + "\n");
        Assert.That(Joules(meter)[0], Is.EqualTo(isWrap ? (262_143_328_850 + after) * 1e-6 : after * 1e-6).Within(1e-6));
    }

    /// <summary>Readings that were held up for two minutes: 262 kJ − 250 kJ + 11 kJ in 120 s are 193 W.</summary>
    [Test]
    public void A_wrap_in_a_long_pause_is_one()
    {
        Zone("intel-rapl:0", "package-0", 250_000_000_000);
        var clock = new SimulatedClock();
        using var meter = RaplMeter.Open("node1", clock, _root, _root);
        clock.Seconds = 120;
        File.WriteAllText(Path.Combine(_root, "intel-rapl:0", "energy_uj"), "11000000000\n");
        Assert.That(Joules(meter)[0], Is.EqualTo(262_143.328850 + 11_000).Within(1e-6));
    }

    [TestCase("energy_uj")]
    [TestCase("max_energy_range_uj")]
    public void A_part_that_cannot_be_read_is_named_with_its_file(string file)
    {
        Zone("intel-rapl:0", "package-0", 5);
        Zone("intel-rapl:1", "package-1", 5);
        var closed = Path.Combine(_root, "intel-rapl:1", file);
        File.Delete(closed);
        Directory.CreateDirectory(closed);      // root may read any file; a directory is refused to it, too
        using var meter = Open();
        Assert.That(meter.Domains.Single().Device, Is.EqualTo("package-0"));
        Assert.That(meter.Notices.Single(), Does.Contain("package-1").And.Contain(closed));
        Assert.That(meter.Inspect([]).Single().UnreadParts, Is.EqualTo(new[] { "package-1" }));
    }

    [Test]
    public void Memory_of_one_socket_is_not_that_of_two()
    {
        Zone("intel-rapl:0", "package-0", 5);
        Zone("intel-rapl:0/intel-rapl:0:0", "dram", 5);
        Zone("intel-rapl:1", "package-1", 5);
        using var meter = Open();
        Assert.That(meter.Inspect([]).Select(facts => facts.UnreadParts), Is.All.EqualTo(new[] { "dram-1" }));
        Assert.That(meter.Notices.Single(), Does.Contain("dram-1"));
    }

    [TestCase("0 0 1 1", "package-0", "the other socket")]
    [TestCase("0 1 2 3", "package-0", "3 of 4 sockets")]
    [TestCase("0 0", "package-0", null)]
    [TestCase("0 0", "package-0-die-0 package-0-die-1", null, Description = "dies of one socket")]
    [TestCase("0 1", "package-0-die-0 package-0-die-1", "the other socket")]
    [TestCase("", "package-0", null, Description = "a system that does not tell")]
    public void A_socket_without_a_zone_is_missed(string sockets, string packages, string? unread)
    {
        foreach (var (name, i) in packages.Split(' ').Select((name, i) => (name, i))) Zone($"intel-rapl:{i}", name, 5);
        var processors = Path.Combine(_root, "cpu");
        foreach (var (socket, i) in sockets.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((socket, i) => (socket, i)))
        {
            var topology = Directory.CreateDirectory(Path.Combine(processors, $"cpu{i}", "topology")).FullName;
            File.WriteAllText(Path.Combine(topology, "physical_package_id"), socket + "\n");
        }
        using var meter = RaplMeter.Open("node1", new MonotonicClock(), _root, processors);
        Assert.That(meter.Inspect([])[0].UnreadParts, Is.EqualTo(unread == null ? null : new[] { unread }));
    }

    [Test]
    public void A_counter_that_only_root_may_read_is_said_to_be_so()
    {
        Zone("intel-rapl:0", "package-0", 5);
        var energy = Path.Combine(_root, "intel-rapl:0", "energy_uj");
        File.Delete(energy);
        // root may read any file; a directory is refused to it alike
        if (Environment.IsPrivilegedProcess) Directory.CreateDirectory(energy);
        else if (!OperatingSystem.IsWindows())
        {
            File.WriteAllText(energy, "5");
            File.SetUnixFileMode(energy, UnixFileMode.None);
        }
        using var meter = Open();
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices.Single(), Does.Contain(energy).And.Contain("root"));
    }

    [Test]
    public void A_machine_without_it_is_a_state_with_a_remedy()
    {
        using var meter = Open();
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices.Single(), Does.Contain(_root).And.Contain("intel_rapl"));
    }

    [Test]
    public void A_counter_that_vanishes_gives_lost_readings()
    {
        Zone("intel-rapl:0", "package-0", 5_000_000);
        using var meter = Open();
        File.WriteAllText(Path.Combine(_root, "intel-rapl:0", "energy_uj"), "");
        Assert.That(Joules(meter), Is.EqualTo(new double?[] { null }));
    }

    [Test]
    public void Reading_does_not_allocate()
    {
        Zone("intel-rapl:0", "package-0", 5_000_000);
        using var meter = Open();
        var readings = new EnergyReading[1];
        for (var i = 0; i < 50; i++) meter.Read(readings);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) meter.Read(readings);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private IEnergyMeter Open() => RaplMeter.Open("node1", new MonotonicClock(), _root, _root);

    private void Zone(string directory, string name, long microjoules, long range = 262_143_328_850)
    {
        var path = Directory.CreateDirectory(Path.Combine(_root, directory)).FullName;
        File.WriteAllText(Path.Combine(path, "name"), name + "\n");
        File.WriteAllText(Path.Combine(path, "energy_uj"), microjoules + "\n");
        File.WriteAllText(Path.Combine(path, "max_energy_range_uj"), range + "\n");
    }

    private static double?[] Joules(IEnergyMeter meter)
    {
        var readings = new EnergyReading[meter.Domains.Count];
        meter.Read(readings);
        return [.. readings.Select(r => r.EnergyJoules)];
    }
}
