using Harness.Common;
using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Meters;
using Harness.Energy.Records;

namespace Harness.Tests.Energy;

public class PowerRecordsTests
{
    private static readonly EnergyDomain s_gpu = new("node,1", "GPU-\"x\"", DomainKind.Gpu, "nvml");

    [Test]
    public void Every_value_reads_back_to_the_same_bits_and_absent_stays_absent()
    {
        EnergyReading[] readings =
        [
            new()
            {
                TimeSeconds = 0.1 + 0.2, EnergyJoules = 7200000.123456789, PowerWatts = 1.0 / 3, PowerField = PowerField.Average1s,
                TemperatureCelsius = 61, SmClockMhz = 1980, MemoryClockMhz = 2619, UtilizationPercent = 0,
                ThrottleReasons = 0x44, PowerLimitWatts = 699.999, MemoryUsedBytes = 1L << 40, Processors = new(80.25, 40, 1.0 / 3),
                ModulePowerWatts = 2.0 / 3,
            },
            new() { TimeSeconds = 1e-7, EnergyJoules = 0, ThrottleReasons = 0 },
            new() { TimeSeconds = 12345.678 },
        ];
        SampleSeries[] written =
            [new(s_gpu, 5, readings),
            new(new EnergyDomain("n", "package-0", DomainKind.Package, "rapl"), 0, [new() { TimeSeconds = 2, PowerWatts = 1e-300 }])];
        var text = new StringWriter();
        PowerRecords.Write(text, written);
        var read = PowerRecords.Read(new StringReader(text.ToString()), "power.csv");

        Assert.That(read.Select(s => (s.Domain, s.Rank)), Is.EqualTo(written.Select(s => (s.Domain, s.Rank))));
        Assert.That(read[0].Readings, Is.EqualTo(readings));
        Assert.That(read[1].Readings, Is.EqualTo(written[1].Readings));
        Assert.That(text.ToString(),
            Does.StartWith("t_s,rank,host,device,kind,source,energy_j,power_w,power_field,").And.Contain(",average_1s,").And.Contain(
            ",0x44,"));
        Assert.That(text.ToString(), Does.Contain("\n12345.678,5,\"node,1\",\"GPU-\"\"x\"\"\",gpu,nvml,,,,,,,,,,,,,,\n"),
            "absent is empty");
    }

    [TestCase("t_s,rank,host,device,kind,source\n1,0,n,d,gpu,nvml\n", "line 2")]
    [TestCase("x\n", "power.csv")]
    public void A_file_of_another_kind_is_refused_with_its_line(string text, string expected) =>
        Assert.That(() => PowerRecords.Read(new StringReader(text + "1,2\n"), "power.csv"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains(expected));

    [Test]
    public void A_file_from_before_there_were_processor_times_is_read()
    {
        const string header =
            "t_s,rank,host,device,kind,source,energy_j,power_w,power_field,temperature_c,sm_clock_mhz,memory_clock_mhz,"
            + "utilization_percent,throttle_reasons,power_limit_w,memory_used_bytes";
        var reading = PowerRecords.Read(new StringReader($"{header}\n1.5,0,n,package-0,package,rapl,7,,,,,,,,,\n"), "power.csv")
            .Single().Readings.Single();
        Assert.That((reading.EnergyJoules, reading.Processors), Is.EqualTo((7.0, (ProcessorTime?)null)));
    }

    [TestCase("0x-1")]
    [TestCase("0xzz")]
    [TestCase("0xfffffffffffffffff")]
    public void Throttle_reasons_that_are_no_bits_are_refused_with_their_line(string bits)
    {
        var text = new StringWriter();
        PowerRecords.Write(text, [new SampleSeries(s_gpu, 0, [new() { TimeSeconds = 1, PowerWatts = 250, ThrottleReasons = 0x44 }])]);
        Assert.That(() => PowerRecords.Read(new StringReader(text.ToString().Replace("0x44", bits)), "power.csv"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("power.csv, line 2"));
    }

    [Test]
    public void A_damaged_number_is_refused_with_its_line()
    {
        var text = new StringWriter();
        PowerRecords.Write(text,
            [new SampleSeries(s_gpu, 0, [new() { TimeSeconds = 1, PowerWatts = 250 }, new() { TimeSeconds = 2, PowerWatts = 251 }])]);
        var damaged = text.ToString().Replace(",251,", ",2x1,");
        Assert.That(() => PowerRecords.Read(new StringReader(damaged), "power.csv"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("power.csv, line 3"));
    }

    [Test]
    public void Windows_read_back_as_they_were()
    {
        var windows = Simulation.Run(0.1, [(5.0, 6.0)],
            new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), ScriptedCurve.Constant(100), 0.1));
        var idle = new EnergyWindow("idle", WindowKind.Idle, 1.0 / 3, 2);
        var written = new[] { new WindowRecord(idle, []),
            new WindowRecord(windows.Windows[0], windows.Account.Resolve(windows.Windows[0]).Devices) };
        var text = new StringWriter();
        WindowRecords.Write(text, written);
        var lines = text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines[0],
            Is.EqualTo("{\"window\":{\"window\":\"idle\",\"kind\":\"idle\",\"start_s\":0.3333333333333333,\"end_s\":2},\"devices\":[]}"));
        var read = WindowRecords.Read(new StringReader(text.ToString()), "windows.jsonl");
        Assert.That(read.Select(w => w.Window), Is.EqualTo(written.Select(w => w.Window)));
        Assert.That(read[1].Devices[0] with { InvalidReasons = written[1].Devices[0].InvalidReasons }, Is.EqualTo(written[1].Devices[0]));
        Assert.That(() => WindowRecords.Read(new StringReader(lines[0] + "\nnonsense\n"), "windows.jsonl"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("windows.jsonl, line 2"));
    }

    [Test]
    public void A_replayed_recording_gives_the_joules_of_the_original()
    {
        var curve = ScriptedCurve.Steps(100, 400, 0.7);
        var original = Simulation.Run(0.1, [(5.0, 9.0)], new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), curve, 0.02));
        var path = Path.GetTempFileName();
        PowerRecords.Write(path, [.. original.Series, original.Series[0] with { Rank = 2, Readings = [] }]);

        var clock = new SimulatedClock { Seconds = 1000 };
        using var meter = new ReplayMeter(path, clock);
        File.Delete(path);
        using var sampler = new Harness.Energy.Sampling.EnergySampler(meter, clock, 0.001, []);
        while (clock.Seconds < 1020) sampler.Tick();
        var series = sampler.Series(0).Single();
        Assert.That(series.Domain.Key, Is.EqualTo("node1/GPU-a"));
        Assert.That(series.Domain.Source, Is.EqualTo("replay"));

        var shift = 1000 - original.Series[0].Readings[0].TimeSeconds;
        var played = series.Readings.Where(r => !r.IsLost).ToList();
        var recorded = original.Series[0].Readings.Select(r => (Math.Round(r.TimeSeconds + shift, 6), r.EnergyJoules)).ToHashSet();
        Assert.That(played.Select(r => (Math.Round(r.TimeSeconds, 6), r.EnergyJoules)), Is.SubsetOf(recorded), "at their own times");
        Assert.That(played, Has.Count.GreaterThan(recorded.Count * 0.95), "all but the few that lie closer together than it was polled");
        var account = Accounting.Of([series with { Readings = played }], original.Sensors);
        var window = new EnergyWindow("again", WindowKind.Measured, 5 + shift, 9 + shift);
        Assert.That(account.Resolve(window).Joules, Is.EqualTo(original.Account.Resolve(original.Windows[0]).Joules).Within(0.1).Percent);
        Assert.That(series.Readings[^1].IsLost, Is.True, "after its end there is nothing");
    }

    [TestCase("", "no readings")]
    [TestCase(null, "no such recording")]
    public void An_empty_or_missing_recording_is_the_users_mistake(string? text, string expected)
    {
        var path = Path.GetTempFileName();
        using (var file = new StreamWriter(path)) PowerRecords.Write(file, []);
        if (text == null) File.Delete(path);
        Assert.That(() => new ReplayMeter(path, new SimulatedClock()),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains(expected).And.Message.Contains(path));
        File.Delete(path);
    }
}
