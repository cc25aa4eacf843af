using Harness.Common;
using Harness.Energy;
using Harness.Energy.Meters;

namespace Harness.Tests.Energy;

/// <summary>Meters whose values are files, on trees laid out like the kernel's.</summary>
[Parallelizable]
public class SensorMeterTests
{
    private string _root = "";

    [SetUp]
    public void CreateRoot() => _root = Directory.CreateTempSubdirectory("harness-sensors-").FullName;

    [TearDown]
    public void DeleteRoot() => Directory.Delete(_root, recursive: true);

    /// <summary>The files of an EX node with four accelerators, with the times that newer firmware writes behind the values.</summary>
    [Test]
    public void A_Cray_nodes_counters_are_its_node_its_sockets_its_memory_and_each_accelerator()
    {
        Write("energy", "15310 J 1425654921348373 us");
        Write("power", "250 W 1425654921348373 us");
        Write("cpu_energy", "4000 J 1425654921348373 us");
        Write("cpu_power", "90 W 1425654921348373 us");
        Write("memory_energy", "700 J");
        Write("accel0_energy", "5000 J");
        Write("accel1_energy", "5100 J");
        Write("freshness", "77");
        Write("generation", "3");
        Write("cpu_temp", "44");
        using var meter = CrayPmMeter.Open("nid1", new SimulatedClock(), _root);
        Assert.That(meter.Domains.Select(domain => (domain.Device, domain.Kind, domain.Source)), Is.EquivalentTo(new[]
        {
            ("node", DomainKind.Node, "craypm"), ("cpu", DomainKind.Package, "craypm"), ("memory", DomainKind.Dram, "craypm"),
            ("accel0", DomainKind.Gpu, "craypm"), ("accel1", DomainKind.Gpu, "craypm"),
        }));
        Assert.That(meter.Notices, Is.Empty);
        var readings = ByDevice(meter);
        Assert.That((readings["node"].EnergyJoules, readings["node"].PowerWatts), Is.EqualTo((15310.0, 250.0)));
        Assert.That((readings["cpu"].EnergyJoules, readings["cpu"].PowerWatts), Is.EqualTo((4000.0, 90.0)));
        Assert.That((readings["memory"].EnergyJoules, readings["memory"].PowerWatts), Is.EqualTo((700.0, (double?)null)));
    }

    /// <summary>The clock of this meter moves the counters between two files of one look: the look is taken again.</summary>
    [Test]
    public void Values_of_two_updates_are_not_taken_for_one()
    {
        Write("energy", "100 J");
        Write("cpu_energy", "40 J");
        Write("freshness", "1");
        var clock = new CountingClock();
        using var meter = CrayPmMeter.Open("nid1", clock, _root);
        clock.AtLook(3, () =>                       // between cpu_energy, which is first, and energy
        {
            Write("energy", "130 J");
            Write("cpu_energy", "55 J");
            Write("freshness", "2");
        });
        var readings = ByDevice(meter);
        Assert.That((readings["cpu"].EnergyJoules, readings["node"].EnergyJoules), Is.EqualTo((55.0, 130.0)));
    }

    [Test]
    public void Absent_counters_and_one_that_cannot_be_read_are_named()
    {
        using var none = CrayPmMeter.Open("nid1", new SimulatedClock(), Path.Combine(_root, "nowhere"));
        Assert.That(none.Notices.Single(), Does.Contain("nowhere/energy").And.Contain("no Cray node"));
        Write("energy", "1 J");
        Write("cpu_energy", "");
        Write("freshness", "1");
        using var meter = CrayPmMeter.Open("nid1", new SimulatedClock(), _root);
        Assert.That(meter.Domains.Single().Device, Is.EqualTo("node"));
        Assert.That(meter.Notices.Single(), Does.Contain("cpu is left out").And.Contain(Path.Combine(_root, "cpu_energy")));
    }

    /// <summary>Files and texts of a GH200 (Grace Performance Tuning Guide, "Power Telemetry"), an amd_energy driver, and a disk.</summary>
    [Test]
    public void Sensors_of_the_board_stand_for_what_they_say()
    {
        Device("hwmon0", "power_meter", ("power1_average", "212000000"), ("power1_average_interval", "1000"), ("power1_oem_info",
            "Grace Power Socket 0"));
        Device("hwmon1", "power_meter", ("power1_average", "100000000"), ("power1_oem_info", "CPU Power Socket 0"));
        Device("hwmon2", "power_meter", ("power1_average", "650500000"), ("power1_average_interval", "50"), ("power1_oem_info",
            "Module Power Socket 0"));
        Device("hwmon3", "amd_energy", ("energy1_input", "5000000"), ("energy1_label", "Ecore000"), ("energy9_input", "7250000"),
            ("energy9_label", "Esocket1"));
        Device("hwmon4", "nvme", ("power1_input", "3000000"));
        Device("hwmon5", "power_meter", ("power1_average", "900000000"), ("power1_input", "800000000"));
        using var meter = HwmonMeter.Open("node1", new SimulatedClock(), _root);
        Assert.That(meter.Domains.Select(domain => (domain.Device, domain.Kind)), Is.EqualTo(new[]
        {
            ("grace-0", DomainKind.Package), ("module-0", DomainKind.Module), ("package-1", DomainKind.Package), ("hwmon5", DomainKind.Node),
        }));
        var readings = ByDevice(meter);
        Assert.That((readings["grace-0"].PowerWatts, readings["grace-0"].PowerField), Is.EqualTo((212.0, PowerField.Average1s)));
        Assert.That((readings["module-0"].PowerWatts, readings["module-0"].PowerField), Is.EqualTo((650.5, PowerField.Unspecified)));
        Assert.That(readings["package-1"].EnergyJoules, Is.EqualTo(7.25));
        Assert.That(readings["hwmon5"].PowerWatts, Is.EqualTo(900));
        Assert.That(meter.Notices.Single(), Does.Contain("nvme").And.Contain("not known"));
    }

    /// <summary>
    /// The kernel counts a processor's clock in ns as it counts its joules, and under the same call: as energy with a unit of 1e-9 it is
    /// a device that draws 1 W.
    /// </summary>
    [Test]
    public void A_counter_of_perf_gives_its_events_times_their_scale()
    {
        Write("type", "1");                                       // PERF_TYPE_SOFTWARE
        Write("cpumask", "0-1");
        Event("energy-pkg", "event=0x00", "1e-9");                // PERF_COUNT_SW_CPU_CLOCK
        Event("energy-psys", "event=0x00", "2e-9");
        Event("energy-cores", "event=0x00", "1");
        foreach (var (cpu, socket) in (ReadOnlySpan<(int, string)>)[(0, "0"), (1, "1")])
            Write($"cpus/cpu{cpu}/topology/physical_package_id", socket);
        var clock = new MonotonicClock();
        using var meter = PerfMeter.Open("node1", clock, _root, Path.Combine(_root, "cpus"));
        if (meter.Domains.Count == 0) Assert.Ignore($"{meter.Notices.Single()}: not run");
        Assert.That(meter.Domains.Select(domain => (domain.Device, domain.Kind)), Is.EqualTo(new[]
        {
            ("package-0", DomainKind.Package), ("package-1", DomainKind.Package), ("psys", DomainKind.Node),
        }));
        var (before, started) = (ByDevice(meter), clock.Seconds);
        clock.Wait(started + 0.2, wake: null);
        var after = ByDevice(meter);
        foreach (var (device, watts) in (ReadOnlySpan<(string, double)>)[("package-0", 1), ("package-1", 1), ("psys", 2)])
        {
            var joules = after[device].EnergyJoules - before[device].EnergyJoules;
            var seconds = after[device].TimeSeconds - before[device].TimeSeconds;
            // the look's own time is known to the length of its call, on a busy machine a few ms
            Assert.That(joules, Is.EqualTo(watts * seconds).Within(10).Percent, device);
        }
    }

    [TestCase("type", "x", "type cannot be read")]
    [TestCase("events/energy-pkg", "umask=0x02", "'umask=0x02'")]
    [TestCase("events/energy-pkg.unit", "Watts", "not Joules")]
    [TestCase("cpumask", "", "cpumask cannot be read")]
    public void Events_that_are_not_understood_are_named(string file, string content, string says)
    {
        Write("type", "1");
        Write("cpumask", "0");
        Event("energy-pkg", "event=0x00", "1e-9");
        Write(file, content);
        using var meter = PerfMeter.Open("node1", new SimulatedClock(), _root, _root);
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices.Single(), Does.StartWith("perf: ").And.Contain(says));
    }

    [Test]
    public void Auto_takes_the_best_that_the_user_may_read()
    {
        var context = new MeterContext("n", new MonotonicClock())
        {
            NvmlLibrary = "/nowhere/nvml.so",
            RaplRoot = Path.Combine(_root, "powercap"),
            PerfRoot = Path.Combine(_root, "perf"),
            CrayPmRoot = Path.Combine(_root, "cray"),
            HwmonRoot = Path.Combine(_root, "hwmon"),
            CudaVisibleDevices = null,
        };
        string Taken()
        {
            using var meter = MeterFactory.Open("auto", context);
            return meter.Domains.Count == 0 ? "none" : meter.Domains[0].Source;
        }
        Assert.That(Taken(), Is.EqualTo("none"));
        Write("hwmon/hwmon0/name", "power_meter");
        Write("hwmon/hwmon0/power1_average", "1");
        Assert.That(Taken(), Is.EqualTo("hwmon"));
        Write("powercap/intel-rapl:0/name", "package-0");
        Write("powercap/intel-rapl:0/energy_uj", "1");
        Write("powercap/intel-rapl:0/max_energy_range_uj", "262143328850");
        Assert.That(Taken(), Is.EqualTo("rapl"));
        Write("cray/energy", "1 J");
        Assert.That(Taken(), Is.EqualTo("craypm"));
        using var elsewhere = MeterFactory.Open($"craypm:{Path.Combine(_root, "cray")},rapl:{Path.Combine(_root, "powercap")}",
            new MeterContext("n", new MonotonicClock()));
        Assert.That(elsewhere.Domains.Select(domain => domain.Source), Is.EqualTo(new[] { "craypm", "rapl" }));
    }

    private static Dictionary<string, EnergyReading> ByDevice(IEnergyMeter meter)
    {
        var readings = new EnergyReading[meter.Domains.Count];
        meter.Read(readings);
        return meter.Domains.Zip(readings).ToDictionary(pair => pair.First.Device, pair => pair.Second);
    }

    private void Device(string name, string driver, params (string File, string Content)[] files)
    {
        Write($"{name}/name", driver);
        foreach (var (file, content) in files)
            Write($"{name}/{(file.EndsWith("oem_info", StringComparison.Ordinal) ? "device/" : "")}{file}", content);
    }

    private void Event(string name, string code, string scale)
    {
        Write($"events/{name}", code);
        Write($"events/{name}.scale", scale);
        Write($"events/{name}.unit", "Joules");
    }

    /// <summary>In place, as a file of sysfs changes, so that whoever has it open reads the new value.</summary>
    private void Write(string file, string content)
    {
        var path = Path.Combine(_root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content + "\n");
    }

    /// <summary>Does something at the nth time that it is asked.</summary>
    private sealed class CountingClock : IRunClock
    {
        private Action _act = () => { };
        private int _looks, _at;

        public void AtLook(int number, Action act) => (_act, _at, _looks) = (act, number, 0);

        public double Seconds
        {
            get
            {
                if (++_looks == _at) _act();
                return 0;
            }
        }

        public double? SuspendedSeconds => null;

        public void Wait(double deadlineSeconds, WaitHandle? wake) { }
    }
}
