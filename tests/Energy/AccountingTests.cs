using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

public class AccountingTests
{
    private static readonly ScriptedCurve s_curve = ScriptedCurve.Load(70, 350, 10, 20);

    [Test]
    public void A_device_that_four_ranks_read_counts_once()
    {
        var run = Simulation.Run(0.1, [(12.0, 16.0)], new(SimulatedSensor.Gpu("GPU-a"), s_curve, 0.1),
            new(SimulatedSensor.Gpu("GPU-b"), s_curve, 0.1));
        var (a, b) = (run.Series[0], run.Series[1]);
        var holed = a with
        {
            Rank = 0,
            Readings = [.. a.Readings.Select((r, i) => i == 50 ? new EnergyReading { TimeSeconds = r.TimeSeconds } : r)]
        };
        var ledger = new DeviceLedger([b with { Rank = 3 }, a with { Rank = 2 }, b with { Rank = 1 }, holed], ComputesOn.Gpus);
        Assert.That(ledger.Devices.Select(e => e.Domain.Key), Is.EqualTo(new[] { "node1/GPU-a", "node1/GPU-b" }));
        Assert.That(ledger.Devices[0].Ranks, Is.EqualTo(new[] { 0, 2 }));
        Assert.That(ledger.Devices[0].Series.Rank, Is.EqualTo(2), "the series without a lost reading speaks");
        Assert.That(ledger.Devices[1].Series.Rank, Is.EqualTo(1));
        var account = Accounting.Of([b with { Rank = 3 }, a with { Rank = 2 }, b with { Rank = 1 }, holed], run.Sensors);
        Assert.That(account.Resolve(run.Windows[0]).Joules, Is.EqualTo(2 * 350 * 4).Within(0.1).Percent);
    }

    [Test]
    public void The_same_identity_on_two_hosts_is_two_devices()
    {
        SampleSeries On(string host) => new(new EnergyDomain(host, "package-0", DomainKind.Package, "rapl"), 0, []);
        Assert.That(new DeviceLedger([On("n1"), On("n2"), On("n1")], ComputesOn.Processors).Counted, Has.Count.EqualTo(2));
    }

    /// <summary>
    /// Zen 1 and 2 list the one counter of a package for each of its dies, and 68 W + 68 W were reported for 68 W (mlco2/codecarbon 1274).
    /// Dies of other processors have their own, under the same names; sockets that work alike still differ by more than what a
    /// counter moves on between two readings.
    /// </summary>
    [TestCase("package-0-die-0", "package-0-die-1", 1.0, 68.0)]
    [TestCase("package-0", "package-1", 1.0, 68.0, Description = "names decide nothing")]
    [TestCase("package-0-die-0", "package-0-die-1", 1.005, 136.34, Description = "half a per cent more")]
    public void Zones_that_mirror_one_counter_count_once(string one, string other, double ratio, double watts)
    {
        SimulatedSensor Zone(string device, double times) =>
            new(new("n", device, DomainKind.Package, "rapl"), ScriptedCurve.Constant(68 * times), 0.001) { HasPower = false };
        var run = Simulation.Run(0.1, [(5.0, 8.0), (8.0, 16.0)], Zone(one, 1), Zone(other, ratio));
        var account = run.Account.Resolve(run.Windows[1]);
        Assert.That(account.AverageWatts, Is.EqualTo(watts).Within(0.1).Percent);
        Assert.That(account.Devices, Has.Count.EqualTo(ratio == 1 ? 1 : 2), "nobody adds up a mirror");
    }

    /// <summary>Equal at rest, and for most of the time, but one of them works for a second at the end.</summary>
    [Test]
    public void Zones_that_are_equal_at_rest_alone_add_up()
    {
        SimulatedSensor Zone(string device, double busy) =>
            new(new("n", device, DomainKind.Package, "rapl"), ScriptedCurve.Load(30, busy, 29, 30), 0.001) { HasPower = false };
        var run = Simulation.Run(0.1, [(5.0, 25.0), (28.0, 30.0)], Zone("package-0", 60), Zone("package-1", 90));
        Assert.That(run.Account.Resolve(run.Windows[1]).Joules, Is.EqualTo(30 + 60 + 30 + 90).Within(0.5));
    }

    /// <summary>
    /// A reader that is held up between two zones for 50 ms, now and then, sees a mirror differ by 5 J at 100 W, for that moment.
    /// </summary>
    [Test]
    public void A_mirror_is_known_by_a_reader_that_is_held_up()
    {
        EnergyReading At(double t) => new() { TimeSeconds = t, EnergyJoules = Math.Floor(100 * t * 1000) / 1000 };
        List<EnergyReading> one = [.. Enumerable.Range(0, 100).Select(i => At(0.1 * i))];
        List<EnergyReading> other = [.. one.Select((r, i) => i % 4 == 1 ? At(r.TimeSeconds + 0.05) with { TimeSeconds = r.TimeSeconds }
            : r)];
        Assert.That(MirroredCounter.IsOneCounter(one, other), Is.True);
    }

    /// <summary>An idle GPU beside processors that compute is no part of the run's joules, and the other way round.</summary>
    [TestCase("Gpus", new[] { DomainKind.Gpu, DomainKind.Package, DomainKind.Node }, new[] { DomainKind.Gpu })]
    [TestCase("Gpus", new[] { DomainKind.Package, DomainKind.Dram, DomainKind.Node }, new[] { DomainKind.Node })]
    [TestCase("Gpus", new[] { DomainKind.Package, DomainKind.Module }, new[] { DomainKind.Module })]
    [TestCase("Gpus", new[] { DomainKind.Package }, new[] { DomainKind.Package })]
    [TestCase("Processors", new[] { DomainKind.Gpu, DomainKind.Package, DomainKind.Dram, DomainKind.Node },
        new[] { DomainKind.Package, DomainKind.Dram })]
    [TestCase("Processors", new[] { DomainKind.Gpu, DomainKind.Module, DomainKind.Node }, new[] { DomainKind.Module })]
    [TestCase("Processors", new[] { DomainKind.Gpu, DomainKind.Node }, new[] { DomainKind.Node })]
    [TestCase("Processors", new[] { DomainKind.Gpu }, new[] { DomainKind.Gpu })]
    [TestCase("Processors", new DomainKind[0], new DomainKind[0])]
    public void Joules_of_kinds_that_cover_each_other_are_not_added(string on, DomainKind[] kinds, DomainKind[] counted)
    {
        var ledger = new DeviceLedger(kinds.Select(k => new SampleSeries(new EnergyDomain("n", $"{k}", k, "x"), 0, [])),
            Enum.Parse<ComputesOn>(on));
        Assert.That(ledger.Counted.Select(e => e.Domain.Kind), Is.EqualTo(counted));
        Assert.That(ledger.Devices, Has.Count.EqualTo(kinds.Length), "the others are kept beside them");
    }

    /// <summary>Cray's counters and RAPL's are of the same sockets: 200 W by the one and 190 W by the other are 200 W, not 390 W.</summary>
    [TestCase(new[] { "craypm", "rapl" }, new[] { "cpu" })]
    [TestCase(new[] { "rapl", "craypm" }, new[] { "package-0", "package-1" })]
    public void Of_two_meters_of_the_same_sockets_the_first_speaks(string[] order, string[] counted)
    {
        SampleSeries Of(string source, string device) => new(new EnergyDomain("n", device, DomainKind.Package, source), 0, []);
        var series = order.SelectMany(source => source == "craypm" ? [Of(source, "cpu")]
            : new[] { Of(source, "package-0"), Of(source, "package-1") });
        var ledger = new DeviceLedger(series, ComputesOn.Processors);
        Assert.That(ledger.Counted.Select(e => e.Domain.Device), Is.EqualTo(counted));
        Assert.That(ledger.Devices, Has.Count.EqualTo(3), "the other is kept beside it");
        var gpus = new DeviceLedger([new(new EnergyDomain("n", "GPU-1", DomainKind.Gpu, "nvml"), 0, []),
            new(new EnergyDomain("n", "aaaa", DomainKind.Gpu, "amdsmi"), 0, [])], ComputesOn.Gpus);
        Assert.That(gpus.Counted, Has.Count.EqualTo(2), "each driver sees its own");
    }

    [Test]
    public void Net_is_gross_minus_the_idle_power_of_each_device()
    {
        var run = Simulation.Run(0.1, [(5.0, 8.0), (12.0, 16.0)],
            new(SimulatedSensor.Gpu("GPU-a"), s_curve, 0.1), new(SimulatedSensor.Gpu("GPU-b"), ScriptedCurve.Constant(50), 0.1));
        var before = run.Account.Resolve(run.Windows[1]);
        Assert.That((before.NetJoules, before.IdleWatts), Is.EqualTo(((double?)null, (double?)null)), "no baseline yet");

        var account = run.WithIdle(run.Windows[0]);
        Assert.That(account.Windows.Single().AverageWatts, Is.EqualTo(120).Within(0.1).Percent);
        var measured = account.Resolve(run.Windows[1]);
        Assert.That(measured.Joules, Is.EqualTo(4 * (350 + 50)).Within(0.1).Percent);
        Assert.That(measured.IdleWatts, Is.EqualTo(120).Within(0.1).Percent);
        Assert.That(measured.NetJoules, Is.EqualTo(4 * (350 - 70)).Within(0.2).Percent);
        Assert.That(measured.AverageWatts, Is.EqualTo(400).Within(0.1).Percent);
        Assert.That(measured.CounterPowerRatio, Is.EqualTo(1).Within(0.005));
        Assert.That(measured.Source, Is.EqualTo("nvml_counter"));
    }

    /// <summary>100 W for 10 s and 300 W for the first 5 of them, whose other 5 are torn.</summary>
    [Test]
    public void A_window_that_ends_earlier_for_a_device_holds_its_joules_until_then()
    {
        var run = Simulation.Run(0.1, [(10.0, 20.0)],
            new(SimulatedSensor.Gpu("GPU-a"), ScriptedCurve.Constant(100), 0.02),
                new(SimulatedSensor.Gpu("GPU-b"), ScriptedCurve.Constant(300), 0.02));
        var measured = run.Windows[0] with { Cuts = new Dictionary<string, double> { ["node1/GPU-b"] = 15 } };
        EnergyWindow torn = new("torn-1", WindowKind.Torn, 15, 20, Cuts: new Dictionary<string,
            double>
        { ["node1/GPU-a"] = 20, ["node1/GPU-b"] = 15 });
        Assert.That(run.Account.Resolve(measured).Joules, Is.EqualTo(1000 + 1500).Within(0.1).Percent);
        Assert.That(run.Account.Resolve(torn).Devices.Select(device => device.Joules), Is.EqualTo(new[] { 0, 1500 }).Within(2));
        Assert.That(run.Account.Resolve(torn).Counted[0].InvalidReasons, Is.Empty, "nothing of it is torn, and that spoils nothing");
        Assert.That(run.Account.JoulesBetween(measured, 12, 18), Is.EqualTo(600 + 900).Within(0.1).Percent);
        Assert.That(run.Account.JoulesBetween(measured, 16, 18), Is.EqualTo(200).Within(0.1).Percent);
        var shared = run.Account.Attribute(measured, [Accounting.Step(10, 20, 0, new StepEntry(7, 1, StepPhase.Decode))])!;
        Assert.That((shared.Prompts[7].Joules, shared.MeasuredJoules, shared.UnattributedJoules), Is.EqualTo((2500.0, 2500.0, 0.0))
            .Within(2.5));
    }

    /// <summary>
    /// 100 W, then 300 W from 5 s on, seen every half second: 4 s to 8 s are 100 W·1 s + 300 W·3 s, and not those of a quarter second
    /// later.
    /// </summary>
    [TestCase("command", 1000)]
    [TestCase("rapl", 1050)]
    public void Readings_that_bear_the_time_of_the_update_are_not_dated_back(string source, double joules)
    {
        var domain = new EnergyDomain("node1", "node", DomainKind.Node, source);
        var readings = Enumerable.Range(0, 21).Select(i => 0.5 * i)
            .Select(t => new EnergyReading { TimeSeconds = t, EnergyJoules = 100 * t + 200 * Math.Max(0, t - 5) });
        var timeline = new EnergyTimeline(new SampleSeries(domain, 0, [.. readings]),
            new SensorCharacteristics(domain.Key, 0.5, 50, null, 0.001), 0.1, new());
        Assert.That(timeline.Resolve(new("w", WindowKind.Measured, 4, 8)).Joules, Is.EqualTo(joules).Within(1e-9));
        Assert.That(timeline.LastSeconds, Is.EqualTo(source == "command" ? 10 : 9.75));
    }

    [Test]
    public void An_idle_window_that_is_not_valid_is_no_baseline()
    {
        var run = Simulation.Run(0.1, [(5.0, 5.5), (12.0, 16.0)], new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), s_curve, 0.1));
        Assert.That(run.WithIdle(run.Windows[0]).Resolve(run.Windows[1]).NetJoules, Is.Null);
    }

    [Test]
    public void A_window_knows_temperature_clock_and_limit_of_its_device()
    {
        var sensor = new SimulatedSensor(SimulatedSensor.Gpu("GPU-a"), s_curve, 0.1)
        {
            // slow values once a second, as the NVML meter gives them
            Alter = r => (long)(r.TimeSeconds * 10) % 10 != 0 ? r with { TemperatureCelsius = null } : r with
            {
                TemperatureCelsius = (int)(r.TimeSeconds * 2),
                SmClockMhz = r.TimeSeconds < 14.5 ? 1980 : 1410,
                PowerLimitWatts = 300,
                MemoryUsedBytes = (long)r.TimeSeconds,
            },
        };
        var run = Simulation.Run(0.1, [(12.05, 16.95)], sensor);
        var device = run.Account.Resolve(run.Windows[0]).Devices.Single();
        Assert.That((device.StartTemperatureCelsius, device.MaxTemperatureCelsius),
            Is.EqualTo((24, 33)).Or.EqualTo((26, 32)).Or.EqualTo((24, 32)));
        Assert.That(device.MeanSmClockMhz, Is.InRange(1411, 1979));
        Assert.That(device.PowerLimitWatts, Is.EqualTo(300));
        Assert.That(device.MaxMemoryUsedBytes, Is.EqualTo(16));
    }

    [Test]
    public void Between_two_updates_a_step_of_the_load_is_placed_by_its_joules()
    {
        // 100 W until 0.3 s, then 400 W: 310 J at 1 s. The tangents 100·t and 310 − 400·(1 − t) meet at 0.3 s.
        var curve = new JoulesCurve([0, 1], [0, 310], [100, 400]);
        Assert.That(curve.Between(0, 0.2), Is.EqualTo(20).Within(1e-9));
        Assert.That(curve.Between(0.3, 0.5), Is.EqualTo(80).Within(1e-9));
        Assert.That(new JoulesCurve([0, 1], [0, 310]).Between(0, 0.2), Is.EqualTo(62).Within(1e-9), "without power: the chord");
        Assert.That(new JoulesCurve([0, 1], [0, 500], [100, 400]).Between(0, 0.2), Is.EqualTo(100).Within(1e-9),
            "joules that no single step explains: the chord");
        Assert.That(curve.Between(0.5, 1.1), Is.Null, "beyond what is known");
    }

    [Test]
    public void The_papers_figure_is_the_power_of_rank_0s_node_times_the_nodes()
    {
        DomainEnergy Device(string host, DomainKind kind, double? joules) => new()
        {
            Host = host,
            Device = "d",
            Kind = kind,
            DurationSeconds = 10,
            PowerJoules = joules,
            CounterJoules = 1e6,
            InvalidReasons = [],
        };
        DomainEnergy[] devices =
            [Device("n1", DomainKind.Gpu, 1000), Device("n1", DomainKind.Gpu, 1200), Device("n1", DomainKind.Package, 700),
            Device("n2", DomainKind.Gpu, 5000)];
        Assert.That(PaperEnergy.Joules(devices, "n1", 2), Is.EqualTo(4400));
        Assert.That(PaperEnergy.Joules(devices, "n3", 2), Is.Null);
        Assert.That(PaperEnergy.Joules([.. devices, Device("n1", DomainKind.Gpu, null)], "n1", 2), Is.Null);
    }
}
