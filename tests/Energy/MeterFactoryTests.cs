using Harness.Common;
using Harness.Energy;
using Harness.Energy.Meters;
using Harness.Energy.Nvml;

namespace Harness.Tests.Energy;

public class MeterFactoryTests
{
    private static readonly MeterContext s_context = new("n", new MonotonicClock())
    {
        NvmlLibrary = "/nowhere/nvml.so",
        RaplRoot = "/nowhere/powercap",
        CudaVisibleDevices = null,
    };

    [TestCase("nvml", new[] { "nvml" })]
    [TestCase("nvml,rapl", new[] { "nvml", "rapl" })]
    [TestCase("nvml, rapl", new[] { "nvml", "rapl" })]
    [TestCase("command:pdu --outlets 1,2,rapl", new[] { "command:pdu --outlets 1,2", "rapl" })]
    [TestCase("replay:a,b.csv,nvml:all", new[] { "replay:a,b.csv", "nvml:all" })]
    [TestCase("nvml,amd", new[] { "nvml", "amd" })]
    public void A_comma_separates_before_a_meters_word_alone(string text, string[] parts) =>
        Assert.That(MeterFactory.Split(text), Is.EqualTo(parts));

    [TestCase("amd")]
    [TestCase("")]
    [TestCase("NVML")]
    [TestCase("none,wattmeter")]
    public void An_unknown_word_is_refused_with_the_ones_there_are(string text) =>
        Assert.That(() => MeterFactory.Open(text, s_context),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("nvml, nvml:all, amdsmi, amdsmi:all, rapl[:DIR]"));

    [Test]
    public void None_has_no_domains_and_nothing_to_say()
    {
        using var meter = MeterFactory.Open("none", s_context);
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices, Is.Empty);
    }

    [Test]
    public void Auto_without_any_sensor_is_no_meter_and_says_why()
    {
        using var meter = MeterFactory.Open("auto", s_context);
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices, Has.Count.EqualTo(2));
        Assert.That(meter.Notices[0], Does.StartWith("NVML"));
        Assert.That(meter.Notices[1], Does.StartWith("RAPL"));
    }

    [Test]
    public void Auto_takes_the_GPU_where_there_is_one()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = MeterFactory.Open("auto", s_context with { NvmlLibrary = fake.Library });
        Assert.That(meter, Is.InstanceOf<NvmlMeter>());
    }

    [Test]
    public void Several_meters_are_read_as_one()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 curve constant 111");
        using var meter = MeterFactory.Open("nvml,command:sh -c \"echo W 222; exec sleep 60\",rapl",
            s_context with { NvmlLibrary = fake.Library });
        Assert.That(meter.Domains.Select(d => d.Source), Is.EqualTo(new[] { "nvml", "command" }));
        var readings = new EnergyReading[2];
        meter.Read(readings);
        Assert.That(readings.Select(r => r.PowerWatts), Is.EqualTo(new double?[] { 111, 222 }));
        Assert.That(meter.Notices.Single(), Does.StartWith("RAPL"));
        Assert.That(meter.Inspect([]), Has.Count.EqualTo(2));
    }

    /// <summary>Two node meters were one device of that name, whose readings could not be told apart.</summary>
    [Test]
    public void Domains_of_one_name_have_their_meters_before_it()
    {
        var clock = new SimulatedClock { Seconds = 1 };
        SimulatedMeter Node(string source, double watts) => new(clock, new SimulatedSensor(
            new("n", "node", DomainKind.Node, source), ScriptedCurve.Constant(watts), 0.1));
        using var meter = new CompositeMeter([Node("craypm", 300), Node("command", 310), Node("command", 320)]);
        Assert.That(meter.Domains.Select(domain => domain.Device), Is.EqualTo(new[] { "node", "command-node", "command-command-node" }));
        Assert.That(meter.Inspect([]).Select(facts => facts.Domain), Is.EqualTo(meter.Domains));
        var readings = new EnergyReading[3];
        meter.Read(readings);
        Assert.That(readings.Select(reading => reading.PowerWatts), Is.EqualTo(new double?[] { 300, 310, 320 }));
    }

    [Test]
    public void What_a_node_has_once_is_read_by_its_first_rank_alone()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 1 uuid GPU-2");
        var second = s_context with { NvmlLibrary = fake.Library, LocalRank = 1 };
        foreach (var word in (string[])["nvml:all", "rapl", "command:/nowhere/pdu", "replay:/nowhere.csv"])
        {
            using var meter = MeterFactory.Open(word, second);
            Assert.That(meter.Domains, Is.Empty, word);
        }
        using var own = MeterFactory.Open("nvml", second);
        Assert.That(own.Domains.Single().Device, Is.EqualTo("GPU-2"));
    }
}
