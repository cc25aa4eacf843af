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

    [Test]
    public void A_counter_that_only_root_may_read_is_said_to_be_so()
    {
        Zone("intel-rapl:0", "package-0", 5);
        var energy = Path.Combine(_root, "intel-rapl:0", "energy_uj");
        File.Delete(energy);
        if (Environment.IsPrivilegedProcess) Directory.CreateDirectory(energy);   // root may read any file; a directory is refused to it alike
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

    private IEnergyMeter Open() => RaplMeter.Open("node1", new MonotonicClock(), _root);

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
