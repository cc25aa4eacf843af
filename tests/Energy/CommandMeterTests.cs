using Harness.Common;
using Harness.Energy;
using Harness.Energy.Meters;

namespace Harness.Tests.Energy;

public class CommandMeterTests
{
    private static readonly MonotonicClock s_clock = new();

    [TestCase("J 15310.25", 15310.25, null)]
    [TestCase("W 250.1", null, 250.1)]
    [TestCase("J 1.5e3\tW 0", 1500.0, 0.0)]
    [TestCase("  W  250   J 3  ", 3.0, 250.0)]
    public void A_line_is_one_or_two_pairs_of_unit_and_number(string line, double? joules, double? watts)
    {
        Assert.That(CommandLine.Parse(line), Is.EqualTo(new CommandLine(null, null, joules, watts)));
    }

    [TestCase("250.1")]
    [TestCase("J")]
    [TestCase("J 1 J 2")]
    [TestCase("kWh 3")]
    [TestCase("W 2,5")]
    [TestCase("W NaN")]
    [TestCase("J 1 W 2 T 3")]
    [TestCase("@ J 1")]
    [TestCase("@now J 1")]
    [TestCase("J 1 @5")]
    [TestCase("outlet-4 J 1")]
    [TestCase("cpu- J 1")]
    [TestCase("cpu J")]
    [TestCase("@5 cpu gpu J 1")]
    public void Anything_else_is_not_understood(string line) => Assert.That(CommandLine.Parse(line), Is.Null);

    [TestCase("@1764381600.25 J 7", 1764381600.25, null, DomainKind.Node)]
    [TestCase("cpu-0 J 7", null, "cpu-0", DomainKind.Package)]
    [TestCase("@5 memory J 7", 5.0, "memory", DomainKind.Dram)]
    [TestCase("gpu-GPU-1f J 7", null, "gpu-GPU-1f", DomainKind.Gpu)]
    [TestCase("module-1 J 7", null, "module-1", DomainKind.Module)]
    [TestCase("node J 7", null, "node", DomainKind.Node)]
    public void A_time_and_a_domain_may_stand_before_them(string line, double? time, string? domain, DomainKind kind)
    {
        Assert.That(CommandLine.Parse(line), Is.EqualTo(new CommandLine(time, domain, 7, null)));
        Assert.That(CommandLine.Parse(line)!.Value.Kind, Is.EqualTo(kind));
    }

    /// <summary>The day's time is 1000 s ahead of the run's clock.</summary>
    [Test]
    public void Lines_with_times_that_come_at_once_are_readings_each_at_its_time()
    {
        var clock = new SimulatedClock { Seconds = 100 };
        var lines = new CommandLines(clock, () => clock.Seconds + 1000);
        foreach (var line in (string[])["@1097 cpu W 40", "@1097 node W 400", "@1098 cpu W 50", "@1098 node W 500", "@1099 cpu W 60",
            "@1099 node W 600", "@1099 node W 600"]) Assert.That(lines.Take(line), Is.Null, line);
        Assert.That(lines.Domains, Is.EqualTo(new[] { ("cpu", DomainKind.Package), ("node", DomainKind.Node) }));
        var seen = new List<(double, double?, double, double?)>();
        for (var i = 0; i < 4; i++)
        {
            var readings = new EnergyReading[2];
            lines.Read(readings);
            seen.Add((Math.Round(readings[0].TimeSeconds, 6), readings[0].PowerWatts, Math.Round(readings[1].TimeSeconds, 6),
                readings[1].PowerWatts));
        }
        Assert.That(seen, Is.EqualTo(new (double, double?, double, double?)[]
            { (97, 40, 97, 400), (98, 50, 98, 500), (99, 60, 99, 600), (99, 60, 99, 600) }));
    }

    [TestCase("@1102 cpu W 1", "2.0 s ahead of this machine's")]
    [TestCase("@900 cpu W 1", "200.0 s behind this machine's")]
    [TestCase("@1098 cpu W 1", "before that of the line before it")]
    [TestCase("gpu W 1", "its domains were cpu")]
    [TestCase("W 1", "its domains were cpu")]
    public void A_line_that_cannot_be_so_is_refused_with_the_reason(string line, string reason)
    {
        var clock = new SimulatedClock { Seconds = 100 };
        var lines = new CommandLines(clock, () => clock.Seconds + 1000);
        Assert.That((lines.Take("@1099 cpu W 40"), lines.Take("@1099.5 cpu W 40")), Is.EqualTo(((string?)null, (string?)null)));
        Assert.That(lines.Take(line), Does.Contain(reason));
    }

    [Test]
    public void A_program_may_tell_several_domains_each_at_a_time_of_its_own()
    {
        using var meter = CommandMeter.Open("n", s_clock,
            "sh -c \"while :; do t=@$(date +%s.%N); echo $t cpu-0 W 40; echo $t memory W 10; echo $t node W 300; sleep 0.1; done\"");
        Assert.That(meter.Domains.Select(domain => (domain.Device, domain.Kind)), Is.EqualTo(new[]
            { ("cpu-0", DomainKind.Package), ("memory", DomainKind.Dram), ("node", DomainKind.Node) }));
        var readings = new EnergyReading[3];
        meter.Read(readings);
        Assert.That(readings.Select(reading => reading.PowerWatts), Is.EqualTo(new double?[] { 40, 10, 300 }));
        Assert.That(readings.Select(reading => Math.Round(reading.TimeSeconds, 2)).Distinct().Count(), Is.EqualTo(1), "of one time");
    }

    /// <summary>A wall meter that tells the same watts once a second: in three seconds it shows too few lines to tell how often.</summary>
    [Test]
    public void A_program_that_tells_seldom_is_listened_to_until_its_period_is_known()
    {
        var clock = new SimulatedClock();
        var node = new EnergyDomain("n", "node", DomainKind.Node, "command");
        var meter = new SimulatedMeter(clock, new SimulatedSensor(node, ScriptedCurve.Constant(200), 1) { HasCounter = false });
        using var told = new Told(meter);
        var sensor = Harness.Energy.Sampling.SensorCharacteristics.Measure(told, clock).Single();
        Assert.That(sensor.UpdateSeconds, Is.EqualTo(1).Within(1e-9));
        Assert.That(clock.Seconds, Is.LessThan(6));
    }

    /// <summary>Readings bear the second at which they were current, as a program's lines do.</summary>
    private sealed class Told(IEnergyMeter meter) : IEnergyMeter
    {
        public IReadOnlyList<EnergyDomain> Domains => meter.Domains;
        public IReadOnlyList<string> Notices => meter.Notices;

        public void Read(Span<EnergyReading> readings)
        {
            meter.Read(readings);
            foreach (ref var reading in readings) reading = reading with { TimeSeconds = Math.Floor(reading.TimeSeconds) };
        }

        public IReadOnlyList<DomainFacts> Inspect(IReadOnlyCollection<int> runProcessIds) => meter.Inspect(runProcessIds);
        public void Dispose() => meter.Dispose();
    }

    [TestCase("./pdu --outlet 4", new[] { "./pdu", "--outlet", "4" })]
    [TestCase("  a \"b c\" \"\" d", new[] { "a", "b c", "", "d" })]
    public void Words_are_separated_by_blanks_outside_quotation_marks(string command, string[] words) =>
        Assert.That(CommandMeter.SplitWords(command), Is.EqualTo(words));

    [Test]
    public void A_program_becomes_a_node_domain()
    {
        using var meter = CommandMeter.Open("node3", s_clock, "sh -c \"echo '# a wall meter'; echo; echo 'J 100.5 W 321'; exec sleep 60\"");
        Assert.That(meter.Domains.Select(d => (d.Key, d.Kind, d.Source)), Is.EqualTo(new[] { ("node3/node", DomainKind.Node, "command") }));
        var before = s_clock.Seconds;
        var reading = Read(meter);
        Assert.That((reading.EnergyJoules, reading.PowerWatts, reading.PowerField), Is.EqualTo((100.5, 321, PowerField.Unspecified)));
        Assert.That(reading.TimeSeconds, Is.LessThan(before), "the time at which the line came");
        Assert.That(Read(meter), Is.EqualTo(reading), "nothing new was printed");
    }

    [Test]
    public void New_lines_are_new_readings()
    {
        using var meter = CommandMeter.Open("n", s_clock, "sh -c \"i=0; while :; do i=$((i+1)); echo J $i; sleep 0.02; done\"");
        var first = Read(meter);
        Assert.That(() => Read(meter).EnergyJoules, Is.GreaterThan(first.EnergyJoules!.Value + 2).After(10_000, 10));
    }

    [Test]
    public void A_program_that_ends_is_a_lost_meter()
    {
        using var meter = CommandMeter.Open("n", s_clock, "sh -c \"echo W 200; sleep 0.3\"");
        Assert.That(Read(meter).PowerWatts, Is.EqualTo(200));
        Assert.That(() => Read(meter).IsLost, Is.True.After(10_000, 10));
        Assert.That(meter.Notices.Single(), Does.Contain("ended"));
    }

    [Test]
    public void A_program_that_prints_nonsense_is_a_lost_meter()
    {
        using var meter = CommandMeter.Open("n", s_clock, "sh -c \"echo W 200; sleep 0.3; echo ERROR outlet 4; sleep 60\"");
        Assert.That(() => Read(meter).IsLost, Is.True.After(10_000, 10));
        Assert.That(meter.Notices.Single(), Does.Contain("ERROR outlet 4"));
    }

    [TestCase("echo W -5", "less than 0 W")]
    [TestCase("echo J 3 W -0.01", "less than 0 W")]
    [TestCase("sleep 60", "no reading")]
    [TestCase("true", "ended")]
    [TestCase("echo hello", "hello")]
    public void A_program_without_a_reading_is_no_meter(string command, string why)
    {
        using var meter = CommandMeter.Open("n", s_clock, command, patienceSeconds: 0.5);
        Assert.That(meter.Domains, Is.Empty);
        Assert.That(meter.Notices.Single(), Does.Contain(command).And.Contain(why));
    }

    [Test]
    public void A_program_that_cannot_be_started_is_the_users_mistake()
    {
        Assert.That(() => CommandMeter.Open("n", s_clock, "/nowhere/pdu"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("/nowhere/pdu"));
        Assert.That(() => CommandMeter.Open("n", s_clock, " "), Throws.InstanceOf<UserErrorException>());
    }

    [Test]
    public void The_program_is_ended_with_the_meter()
    {
        var file = Path.GetTempFileName();
        CommandMeter.Open("n", s_clock, $"sh -c \"echo $$ > {file}; echo W 1; sleep 600\"").Dispose();
        var pid = File.ReadAllText(file).Trim();
        Assert.That(() => Directory.Exists($"/proc/{pid}") && !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z "),
            Is.False.After(5000, 20));
        File.Delete(file);
    }

    private static EnergyReading Read(IEnergyMeter meter)
    {
        var readings = new EnergyReading[1];
        meter.Read(readings);
        return readings[0];
    }
}
