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
        Assert.That(CommandMeter.TryParse(line, out var j, out var w), Is.True);
        Assert.That((j, w), Is.EqualTo((joules, watts)));
    }

    [TestCase("250.1")]
    [TestCase("J")]
    [TestCase("J 1 J 2")]
    [TestCase("kWh 3")]
    [TestCase("W 2,5")]
    [TestCase("W NaN")]
    [TestCase("J 1 W 2 T 3")]
    public void Anything_else_is_not_understood(string line) => Assert.That(CommandMeter.TryParse(line, out _, out _), Is.False);

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
