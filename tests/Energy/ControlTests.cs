using Harness.Energy;
using Harness.Energy.Control;
using Harness.Energy.Meters;
using Harness.Energy.Nvml;

namespace Harness.Tests.Energy;

public class ControlTests
{
    private static readonly MonotonicClock Clock = new();

    [Test]
    public void Limits_and_clocks_are_set_and_put_back()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 650000 700000 200000 700000", "device 1 uuid GPU-2");
        using var meter = NvmlMeter.OpenAll("n", Clock, fake.Library);
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], path))
        {
            Assert.That(File.Exists(path), Is.False);
            Assert.That(control.SetPowerLimit(250), Is.EqualTo(new ControlResult(ControlOutcome.Applied)));
            Assert.That(File.ReadAllText(path), Is.EqualTo("{\"host\":\"n\",\"devices\":[{\"uuid\":\"GPU-1\",\"power_limit_mw\":650000}]}"));
            Assert.That(control.SetPowerLimit(175).Outcome, Is.EqualTo(ControlOutcome.OutOfRange));
            Assert.That(fake.State("GPU-1"), Is.EqualTo((650000, 0)), "a cell that is refused leaves nothing changed");
            Assert.That(control.SetPowerLimit(300).Outcome, Is.EqualTo(ControlOutcome.Applied));
            Assert.That(control.LockSmClock(1410).Outcome, Is.EqualTo(ControlOutcome.Applied));
            Assert.That(fake.State("GPU-1"), Is.EqualTo((300000, 1410)));
            Assert.That(control.LockSmClock(9999).Outcome, Is.EqualTo(ControlOutcome.OutOfRange));
        }
        Assert.That(fake.State("GPU-1"), Is.EqualTo((650000, 0)));
        Assert.That(fake.State("GPU-2"), Is.Null, "another rank's device is left alone");
        Assert.That(File.Exists(path), Is.False);
    }

    [Test]
    public void Without_the_privilege_nothing_changes_and_it_is_said()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 1 uuid GPU-2", "device 1 permission 0");
        using var meter = NvmlMeter.OpenAll("n", Clock, fake.Library);
        using var control = PowerControl.Open(meter, ["n/GPU-1", "n/GPU-2"], Path.Combine(fake.Folder, PowerControl.FileName(0)));
        var result = control.SetPowerLimit(250);
        Assert.That(result.Outcome, Is.EqualTo(ControlOutcome.NotPermitted));
        Assert.That(result.Message, Does.Contain("250 W").And.Contain("GPU-2").And.Contain("root"));
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)), "the first device was brought back");
        Assert.That(control.LockSmClock(1410).Outcome, Is.EqualTo(ControlOutcome.NotPermitted));
    }

    [Test]
    public void Without_a_GPU_it_is_not_supported()
    {
        using var meter = new CompositeMeter([new NullMeter()]);
        using var control = PowerControl.Open(meter, [], "/nowhere/restore.json");
        Assert.That(control.SetPowerLimit(250).Outcome, Is.EqualTo(ControlOutcome.NotSupported));
    }

    [Test]
    public void A_damaged_or_missing_record_is_said_with_its_remedy()
    {
        var directory = Directory.CreateTempSubdirectory().FullName;
        File.WriteAllText(Path.Combine(directory, PowerControl.FileName(3)), "{\"host\":");
        Assert.That(() => PowerControl.RestoreDirectory(directory, "n"), Throws.InstanceOf<EnergyException>().With.Message.Contains("restore-rank3.json").And.Message.Contains("nvidia-smi"));
        Directory.Delete(directory, recursive: true);
        Assert.That(() => PowerControl.RestoreDirectory(directory, "n"), Throws.InstanceOf<EnergyException>().With.Message.Contains(directory));
    }

    [Test]
    public void A_device_that_is_gone_stays_in_the_record()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        File.WriteAllText(path, "{\"host\":\"n\",\"devices\":[{\"uuid\":\"GPU-9\",\"power_limit_mw\":650000}]}");
        Assert.That(PowerControl.RestoreFile(path, "n", fake.Library), Does.Contain("GPU-9"));
        Assert.That(File.Exists(path), Is.True);
    }

    [Test]
    public void Waits_until_the_warmest_device_is_cool_enough()
    {
        var clock = new SimulatedClock();
        var result = Heat.WaitBelow(() => 80 - (int)clock.Seconds, clock, 60, 120);
        Assert.That(result, Is.EqualTo(new StartTemperature(60, 20, true)));
    }

    [Test]
    public void Gives_up_cooling_at_the_time_limit()
    {
        var clock = new SimulatedClock();
        Assert.That(Heat.WaitBelow(() => 80, clock, 60, 30), Is.EqualTo(new StartTemperature(80, 30, false)));
    }

    [Test]
    public void Without_a_temperature_the_limit_is_not_reached()
    {
        var clock = new SimulatedClock();
        Assert.That(Heat.WaitBelow(() => null, clock, 60, 300).Reached, Is.False);
        Assert.That(clock.Seconds, Is.LessThan(5), "and is not waited for");
        Assert.That(Heat.WaitBelow(() => null, clock, null, 300).Reached, Is.True, "no limit was asked for");
    }

    [Test]
    public void The_sampler_knows_the_warmest_device()
    {
        var clock = new SimulatedClock();
        SimulatedSensor At(string id, int celsius) => new(SimulatedSensor.Gpu(id), ScriptedCurve.Constant(1), 0.1)
        {
            Alter = r => r with { TemperatureCelsius = r.TimeSeconds == 0 ? celsius : null },
        };
        using var meter = new SimulatedMeter(clock, At("a", 50), At("b", 71));
        using var sampler = new Harness.Energy.Sampling.EnergySampler(meter, clock, 0.1, []);
        sampler.Tick();
        Assert.That(sampler.WarmestCelsius, Is.EqualTo(71), "although the latest reading left it out");
    }
}
