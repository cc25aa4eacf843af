using Harness.Energy;
using Harness.Energy.Accounting;
using Harness.Energy.Records;

namespace Harness.Tests.Energy;

/// <summary>Each invalid reason provoked on its own, and that what was not checked is not valid.</summary>
public class ValidityTests
{
    private static readonly ValidityLimits s_limits = new();
    private static readonly EnergyDomain s_gpu = SimulatedSensor.Gpu("GPU-a");
    private static readonly SimulatedSensor s_healthy = new(s_gpu, ScriptedCurve.Steps(240, 300, 1.1), 0.1);
    private static readonly RunFacts s_checked = new()
    {
        ComputePlaces = [new ComputePlace("node1", "GPU-a")],
        DomainFacts = Facts(new DomainFacts(s_gpu) { MigEnabled = false, ForeignProcesses = 0 }),
        ClockUncertaintySeconds = 0.0001,
        RanksComplete = true,
        RanToEnd = true,
    };

    private static ILookup<string, DomainFacts> Facts(params DomainFacts[] facts) => DomainFacts.ByDevice(facts);

    [Test]
    public void A_run_in_which_all_was_checked_and_well_is_valid() => Assert.That(Reasons(s_healthy, s_checked), Is.Empty);

    [Test]
    public void Nothing_that_was_not_checked_is_valid() => Assert.That(Reasons(s_healthy, new RunFacts()), Is.EquivalentTo(new[]
    {
        InvalidReason.Mig, InvalidReason.DeviceShared, InvalidReason.DeviceMissing, InvalidReason.ClockOffset,
        InvalidReason.RankMissing, InvalidReason.Interrupted,
    }));

    [Test]
    public void No_meter_is_the_one_reason()
    {
        var account = Accounting.Of([], []).Resolve(new EnergyWindow("w", WindowKind.Measured, 0, 5));
        Assert.That(Validity.Judge(account, new RunFacts(), s_limits), Is.EqualTo(new[] { InvalidReason.NoMeter }));
        Assert.That((account.Joules, account.NetJoules, account.Source, account.AverageWatts),
            Is.EqualTo(((double?)null, (double?)null, (string?)null, (double?)null)));
    }

    [Test]
    public void Meter_lost()
    {
        var broken = s_healthy with { Alter = r => r.TimeSeconds > 8 ? new EnergyReading { TimeSeconds = r.TimeSeconds } : r };
        var run = Simulation.Run(0.1, [(5, 7), (7, 9)], broken);
        Assert.That(run.Account.Resolve(run.Windows[0]).InvalidReasons, Is.Empty, "before it was lost");
        var after = run.Account.Resolve(run.Windows[1]);
        Assert.That(after.InvalidReasons, Does.Contain(InvalidReason.MeterLost).And.Contain(InvalidReason.SampleGap));
        Assert.That(after.Joules, Is.Null);
    }

    [Test]
    public void Meter_lost_for_a_moment_is_lost_although_the_counter_bridges_it()
    {
        var hiccup = s_healthy with { Alter = r => r.TimeSeconds is > 6 and < 6.15 ? new EnergyReading { TimeSeconds = r.TimeSeconds } : r };
        Assert.That(Reasons(hiccup, s_checked), Is.EqualTo(new[] { InvalidReason.MeterLost }));
    }

    [Test]
    public void Counter_decreased()
    {
        var reset = s_healthy with { Alter = r => r.TimeSeconds > 8 ? r with { EnergyJoules = r.EnergyJoules - 1_000_500 } : r };
        var run = Simulation.Run(0.1, [(5, 7), (7, 9), (9.5, 11.5)], reset);
        Assert.That(run.Account.Resolve(run.Windows[0]).InvalidReasons, Is.Empty, "before the reset");
        var spoilt = run.Account.Resolve(run.Windows[1]).Devices.Single();
        Assert.That(spoilt.InvalidReasons, Does.Contain(InvalidReason.CounterDecreased));
        Assert.That(spoilt.Source, Is.EqualTo("nvml_power_instant"), "power still tells");
        Assert.That(spoilt.Joules, Is.EqualTo(s_healthy.Curve.Between(7, 9)).Within(2).Percent);
        var later = run.Account.Resolve(run.Windows[2]);
        Assert.That(later.InvalidReasons, Is.Empty, "after the reset");
        Assert.That(later.Joules, Is.EqualTo(s_healthy.Curve.Between(9.5, 11.5)).Within(0.5).Percent);
    }

    [Test]
    public void Sample_gap()
    {
        var run = Simulation.Run(0.1, [(5.0, 8.0)], s_healthy);
        var holed = run.Series[0] with { Readings = [.. run.Series[0].Readings.Where(r => r.TimeSeconds is < 6 or > 6.7)] };
        Assert.That(Judge(run, holed), Is.EqualTo(new[] { InvalidReason.SampleGap }));
    }

    [Test]
    public void Sample_gap_when_the_sensor_stands_still_though_it_is_read()
    {
        var stale = s_healthy.At(6);
        var stalled = s_healthy with
        {
            Alter = r =>
            r.TimeSeconds is > 6 and < 7 ? r with { EnergyJoules = stale.EnergyJoules, PowerWatts = stale.PowerWatts } : r
        };
        Assert.That(Reasons(stalled, s_checked), Does.Contain(InvalidReason.SampleGap));
    }

    [Test]
    public void Window_too_short()
    {
        var run = Simulation.Run(0.1, [(5, 5.7), (6, 7)], s_healthy);
        Assert.That(run.Account.Resolve(run.Windows[0]).InvalidReasons, Is.EqualTo(new[] { InvalidReason.WindowTooShort }),
            "seven updates");
        Assert.That(run.Account.Resolve(run.Windows[1]).InvalidReasons, Is.Empty, "ten updates");
    }

    [Test]
    public void Window_too_short_for_a_sensor_that_nothing_is_known_of()
    {
        var run = Simulation.Run(0.1, [(5, 10)], s_healthy);
        var account = Accounting.Of(run.Series, []);
        Assert.That(account.Resolve(run.Windows[0]).InvalidReasons, Does.Contain(InvalidReason.WindowTooShort));
    }

    [TestCase(1)]
    [TestCase(null)]
    public void Device_shared(int? foreign) =>
        Assert.That(Reasons(s_healthy,
            s_checked with
            {
                DomainFacts =
            Facts([.. s_checked.DomainFacts.Single(), new DomainFacts(s_gpu) { MigEnabled = false, ForeignProcesses = foreign }])
            }),
            Is.EqualTo(new[] { InvalidReason.DeviceShared }));

    [TestCase(true)]
    [TestCase(null)]
    public void Mig(bool? mig)
    {
        var facts = Facts(new DomainFacts(s_gpu) { MigEnabled = mig, ForeignProcesses = 0 });
        Assert.That(Reasons(s_healthy, s_checked with { DomainFacts = facts }), Is.EqualTo(new[] { InvalidReason.Mig }));
    }

    [TestCase("node1", "GPU-b")]
    [TestCase("node1", null, Description = "a rank on the CPU is not covered by a GPU's energy")]
    public void Device_missing(string host, string? gpu) =>
        Assert.That(Reasons(s_healthy, s_checked with { ComputePlaces = [.. s_checked.ComputePlaces!, new ComputePlace(host, gpu)] }),
            Is.EqualTo(new[] { InvalidReason.DeviceMissing }));

    /// <summary>A GPU is its UUID: a container of another name on one machine meets the same one.</summary>
    [Test]
    public void A_GPU_is_covered_on_whatever_host_it_is_counted() =>
        Assert.That(Reasons(s_healthy, s_checked with { ComputePlaces = [.. s_checked.ComputePlaces!, new ComputePlace("node2", "GPU-a")] }),
            Is.Empty);

    [TestCase(DomainKind.Package, null, true)]
    [TestCase(DomainKind.Package, "GPU-a", false)]
    [TestCase(DomainKind.Node, "GPU-a", true)]
    [TestCase(DomainKind.Node, null, true)]
    public void A_socket_covers_the_CPU_and_a_node_meter_everything(DomainKind kind, string? gpu, bool covered)
    {
        var domain = new EnergyDomain("node1", "d", kind, "rapl");
        var facts = s_checked with { ComputePlaces = [new ComputePlace("node1", gpu)], DomainFacts = Facts(DomainFacts.NotApplicable(domain)) };
        Assert.That(Reasons(s_healthy with { Domain = domain }, facts), Is.EqualTo(covered ? [] : new[] { InvalidReason.DeviceMissing }));
    }

    [TestCase(0.2)]
    [TestCase(null)]
    [TestCase(double.NaN)]
    public void Clock_offset(double? uncertainty) =>
        Assert.That(Reasons(s_healthy, s_checked with { ClockUncertaintySeconds = uncertainty }),
            Is.EqualTo(new[] { InvalidReason.ClockOffset }));

    [TestCase(ThrottleReasons.SoftwareThermalSlowdown)]
    [TestCase(ThrottleReasons.HardwareThermalSlowdown)]
    [TestCase(ThrottleReasons.HardwareSlowdown)]
    [TestCase(ThrottleReasons.HardwarePowerBrake)]
    public void Throttled(ulong reason)
    {
        var hot = s_healthy with
        {
            Alter = r =>
            r with { ThrottleReasons = r.TimeSeconds is > 6 and < 6.25 ? reason | ThrottleReasons.SoftwarePowerCap : 0 }
        };
        Assert.That(Reasons(hot, s_checked), Is.EqualTo(new[] { InvalidReason.Throttled }));
    }

    [Test]
    public void Throttled_when_nobody_could_tell() =>
        Assert.That(Reasons(s_healthy with { Alter = r => r with { ThrottleReasons = null } }, s_checked),
            Is.EqualTo(new[] { InvalidReason.Throttled }));

    [Test]
    public void The_power_cap_and_idling_are_no_throttling()
    {
        var capped = s_healthy with { Alter = r => r with { ThrottleReasons = ThrottleReasons.SoftwarePowerCap | ThrottleReasons.GpuIdle } };
        Assert.That(Reasons(capped, s_checked), Is.Empty);
    }

    [TestCase(61.0)]
    [TestCase(null)]
    public void Start_temperature(double? celsius) =>
        Assert.That(Reasons(s_healthy, s_checked with { MaxStartTemperatureCelsius = 60, StartTemperatureCelsius = celsius }),
            Is.EqualTo(new[] { InvalidReason.StartTemperature }));

    [Test]
    public void A_start_temperature_within_the_limit_or_without_one_is_no_reason()
    {
        Assert.That(Reasons(s_healthy, s_checked with { MaxStartTemperatureCelsius = 60, StartTemperatureCelsius = 60 }), Is.Empty);
        Assert.That(Reasons(s_healthy, s_checked with { StartTemperatureCelsius = 90 }), Is.Empty);
    }

    [Test]
    public void Counter_power_mismatch()
    {
        var off = s_healthy with { Alter = r => r with { PowerWatts = r.PowerWatts * 0.85 } };
        Assert.That(Reasons(off, s_checked), Is.EqualTo(new[] { InvalidReason.CounterPowerMismatch }));
        var near = s_healthy with { Alter = r => r with { PowerWatts = r.PowerWatts * 0.95 } };
        Assert.That(Reasons(near, s_checked), Is.Empty, "within what the sensor promises");
    }

    [Test]
    public void A_domain_with_a_counter_alone_has_nothing_to_disagree_with()
    {
        var run = Simulation.Run(0.1, [(5.0, 8.0)], s_healthy with { HasPower = false });
        var window = run.Account.Resolve(run.Windows[0]);
        Assert.That(window.InvalidReasons, Is.Empty);
        Assert.That(window.CounterPowerRatio, Is.Null);
    }

    [TestCase(false)]
    [TestCase(null)]
    public void Rank_missing(bool? complete) =>
        Assert.That(Reasons(s_healthy, s_checked with { RanksComplete = complete }), Is.EqualTo(new[] { InvalidReason.RankMissing }));

    [TestCase(false)]
    [TestCase(null)]
    public void Interrupted(bool? end) =>
        Assert.That(Reasons(s_healthy, s_checked with { RanToEnd = end }), Is.EqualTo(new[] { InvalidReason.Interrupted }));

    [Test]
    public void Codes_are_joined_in_a_fixed_order_each_once()
    {
        Assert.That(InvalidReason.Join([InvalidReason.Throttled, InvalidReason.MeterLost, InvalidReason.Throttled]),
            Is.EqualTo("meter_lost;throttled"));
        Assert.That(InvalidReason.Join([]), Is.Empty);
        Assert.That(InvalidReason.Join([InvalidReason.Interrupted, InvalidReason.NoMeter]), Is.EqualTo("no_meter"));
        // the codes of the design, to the letter: files out there hold them
        Assert.That(InvalidReason.All,
            Is.EquivalentTo(("no_meter meter_lost counter_decreased power_implausible sample_gap window_too_short device_shared mig "
            + "device_missing clock_offset clock_suspended throttled start_temperature counter_power_mismatch rank_missing "
            + "interrupted").Split(' ')));
    }

    // A socket's counter that is said to have risen by 50 kJ within a tenth of a second: 250 kW, where no socket draws 2 kW.
    [TestCase(DomainKind.Package, 50_000, true)]
    [TestCase(DomainKind.Gpu, 50_000, true)]
    [TestCase(DomainKind.Package, 150, false, Description = "1.8 kW more for a tenth of a second is steep, but no proof")]
    public void A_rise_that_no_device_draws(DomainKind kind, double joules, bool implausible)
    {
        var domain = new EnergyDomain("node1", "GPU-a", kind, "x");
        var jump = s_healthy with
        {
            Domain = domain,
            HasPower = false,
            Alter = r => r.TimeSeconds > 6
            ? r with { EnergyJoules = r.EnergyJoules + joules } : r
        };
        var facts = s_checked with
        {
            ComputePlaces = [new("node1", kind == DomainKind.Gpu ? "GPU-a"
            : null)],
            DomainFacts = Facts(DomainFacts.NotApplicable(domain))
        };
        Assert.That(Reasons(jump, facts), Is.EqualTo(implausible ? new[] { InvalidReason.PowerImplausible } : []));
    }

    [TestCase(-5)]
    [TestCase(1e6)]
    public void Watts_that_nothing_draws(double watts)
    {
        var odd = s_healthy with { Alter = r => r.TimeSeconds is > 6 and < 6.15 ? r with { PowerWatts = watts } : r };
        Assert.That(Reasons(odd, s_checked), Does.Contain(InvalidReason.PowerImplausible));
    }

    // Eight processors for 3 s are 24 s, and four of them busy are 12 s: 5 % of the busy time is 0.6 s, 1 % of all 0.24 s, one tick of
    // each 0.08 s.
    [TestCase(0.6 / 3, false)]
    [TestCase(0.7 / 3, true)]
    [TestCase(4.0, true, Description = "somebody computes as much as the run")]
    public void Others_work_on_the_sockets(double others, bool shared)
    {
        var domain = new EnergyDomain("node1", "package-0", DomainKind.Package, "rapl");
        var sensor = s_healthy with { Domain = domain, Processors = t => new ProcessorTime(8 * t, 4 * t, (4 - others) * t) };
        var facts = s_checked with { ComputePlaces = [new("node1", null)], DomainFacts = Facts(DomainFacts.NotApplicable(domain)) };
        Assert.That(Reasons(sensor, facts), Is.EqualTo(shared ? new[] { InvalidReason.DeviceShared } : []));
    }

    [TestCase("rapl", DomainKind.Package)]
    [TestCase("command", DomainKind.Node)]
    public void Others_work_that_could_not_be_told_is_not_ruled_out(string source, DomainKind kind)
    {
        var domain = new EnergyDomain("node1", "d", kind, source);
        var facts = s_checked with { ComputePlaces = [new("node1", null)], DomainFacts = Facts(DomainFacts.NotApplicable(domain)) };
        Assert.That(Reasons(s_healthy with
        {
            Domain = domain,
            Processors = _ =>
            null
        }, facts), Is.EqualTo(new[] { InvalidReason.DeviceShared }));
    }

    /// <summary>
    /// A system at rest: its own 0.05 of eight processors are 0.15 s in 3 s, less than 1 % of 24 s; half a processor is more.
    /// </summary>
    [TestCase(0.05, true)]
    [TestCase(0.5, false)]
    public void An_idle_machine_is_a_baseline_and_a_busy_one_is_not(double others, bool isBaseline)
    {
        var domain = new EnergyDomain("node1", "package-0", DomainKind.Package, "rapl");
        var run = Simulation.Run(0.1, [(5.0, 8.0)], s_healthy with
        {
            Domain = domain,
            Processors = t =>
            new ProcessorTime(8 * t, others * t, 0)
        });
        Assert.That(run.WithIdle(run.Windows[0]).IdleWatts(domain.Key) != null, Is.EqualTo(isBaseline));
    }

    [Test]
    public void A_recording_was_made_on_another_machine()
    {
        var domain = new EnergyDomain("node1", "package-0", DomainKind.Package, "replay");
        var facts = s_checked with { ComputePlaces = [new("node1", null)], DomainFacts = Facts(DomainFacts.NotApplicable(domain)) };
        Assert.That(Reasons(s_healthy with { Domain = domain }, facts), Is.Empty);
    }

    [Test]
    public void A_part_of_the_hardware_is_not_the_hardware()
    {
        var domain = new EnergyDomain("node1", "package-0", DomainKind.Package, "rapl");
        var facts = s_checked with
        {
            ComputePlaces = [new("node1", null)],
            DomainFacts = Facts(DomainFacts.NotApplicable(domain) with { UnreadParts = ["package-1"] })
        };
        Assert.That(Reasons(s_healthy with { Domain = domain }, facts), Is.EqualTo(new[] { InvalidReason.DeviceMissing }));
    }

    // GH200: the counter is the module's, the power the GPU's; 1.7 to 1 in the reports.
    [TestCase("NVIDIA GH200 480GB", 1.7, "nvml_module_counter")]
    [TestCase("NVIDIA GB200", 2.5, "nvml_module_counter")]
    [TestCase("NVIDIA GH200 480GB", 1.0, "nvml_counter")]
    public void A_superchips_counter_has_another_scope(string name, double ratio, string source)
    {
        var sensor = s_healthy with { Domain = s_gpu with { Name = name }, Alter = r => r with { PowerWatts = r.PowerWatts / ratio } };
        Assert.That(Reasons(sensor, s_checked), Is.Empty);
        var run = Simulation.Run(0.1, [(5, 8)], sensor);
        var window = run.Account.Resolve(run.Windows[0]);
        Assert.That(window.Source, Is.EqualTo(source));
        Assert.That(window.Joules, Is.EqualTo(s_healthy.Curve.Between(5, 8)).Within(1).Percent, "the module's");
    }

    [TestCase("NVIDIA H100 80GB HBM3", 1.7, Description = "no superchip")]
    [TestCase("NVIDIA GH200 480GB", 0.6, Description = "a module draws no less than its GPU")]
    [TestCase("NVIDIA GH200 480GB", 9, Description = "nor nine times as much")]
    public void Another_ratio_is_a_mismatch(string name, double ratio) =>
        Assert.That(Reasons(s_healthy with
        {
            Domain = s_gpu with { Name = name },
            Alter = r =>
            r with { PowerWatts = r.PowerWatts / ratio }
        }, s_checked),
            Is.EqualTo(new[] { InvalidReason.CounterPowerMismatch }));

    private static IReadOnlyList<string> Reasons(SimulatedSensor sensor, RunFacts facts)
    {
        var run = Simulation.Run(0.1, [(5, 8)], sensor);
        return Validity.Judge(run.Account.Resolve(run.Windows[0]), facts, s_limits);
    }

    private static IReadOnlyList<string> Judge(Simulation.Outcome run, SampleSeries series)
    {
        var account = Accounting.Of([series], run.Sensors);
        return Validity.Judge(account.Resolve(run.Windows[0]), s_checked, s_limits);
    }
}
