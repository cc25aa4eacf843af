using Harness.Common;
using Harness.Energy;
using Harness.Energy.Control;
using Harness.Energy.Meters;
using Harness.Energy.Nvml;

namespace Harness.Tests.Energy;

public class ControlTests
{
    private static readonly MonotonicClock s_clock = new();

    [Test]
    public void Limits_and_clocks_are_set_and_put_back()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 650000 700000 200000 700000", "device 1 uuid GPU-2");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], path))
        {
            Assert.That(File.Exists(path), Is.False);
            Assert.That(control.SetPowerLimit(250), Is.EqualTo(new ControlResult(ControlOutcome.Applied)));
            Assert.That(File.ReadAllText(path),
                Is.EqualTo("{\"host\":\"n\",\"devices\":[{\"uuid\":\"GPU-1\",\"power_limit_mw\":650000}]}"));
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
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
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
        Assert.That(() => PowerControl.RestoreDirectory(directory, "n"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains("restore-rank3.json").And.Message.Contains("nvidia-smi"));
        Directory.Delete(directory, recursive: true);
        Assert.That(() => PowerControl.RestoreDirectory(directory, "n"),
            Throws.InstanceOf<UserErrorException>().With.Message.Contains(directory));
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

    private const string Original = "{\"uuid\":\"GPU-1\",\"power_limit_mw\":700000}";

    private static string[] Lefts() =>
    [
        "run/restore-rank0.json n " + Original,
        "run/restore-rank3.json n " + Original,                 // the rank had another number
        "run/restore-rank0.json old-name " + Original,          // the host had another name: a GPU is its UUID
        "other-run/restore-rank0.json n " + Original,
        // devices in another order, and more of them
        "run/restore-rank0.json n {\"uuid\":\"GPU-0\",\"power_limit_mw\":500000}," + Original,
    ];

    /// <summary>A killed run has left 250 W and its record; the next one sets 300 W and is killed or ends.</summary>
    [TestCaseSource(nameof(Lefts))]
    public void Originals_that_a_killed_run_left_are_adopted_and_never_overwritten(string left)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-0", "device 1 uuid GPU-1");
        var parts = left.Split(' ', 3);
        var (run, record) = (Path.Combine(fake.Folder, "run"), Path.Combine(fake.Folder, parts[0]));
        Directory.CreateDirectory(run);
        Directory.CreateDirectory(Path.GetDirectoryName(record)!);
        File.WriteAllText(record, $"{{\"host\":\"{parts[1]}\",\"devices\":[{parts[2]}]}}");
        var before = File.ReadAllText(record);
        fake.Set("GPU-1", 250000);
        if (before.Contains("GPU-0", StringComparison.Ordinal)) fake.Set("GPU-0", 500000);
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], Path.Combine(run, PowerControl.FileName(0)),
            [run, Path.Combine(fake.Folder, "other-run")]))
        {
            Assert.That(control.SetPowerLimit(300).Outcome, Is.EqualTo(ControlOutcome.Applied));
            Assert.That(fake.Log()[0], Is.EqualTo("GPU-1 700000 0"), "first it is put back");
            Assert.That(fake.State("GPU-1"), Is.EqualTo((300000, 0)));
            Assert.That(File.ReadAllText(record), Is.EqualTo(before));
            var own = Directory.GetFiles(run, "restore-rank*.json").Select(File.ReadAllText).ToList();
            Assert.That(own, Is.Not.Empty.And.All.Contains("700000"), "killed here, harness restore finds the originals");
        }
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
        Assert.That(Directory.GetFiles(fake.Folder, "restore-rank*", SearchOption.AllDirectories), Is.Empty,
            "what reads as it was needs no record");
    }

    [Test]
    public void A_record_with_a_device_that_is_not_back_stays()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        File.WriteAllText(path, $"{{\"host\":\"n\",\"devices\":[{Original},{{\"uuid\":\"GPU-9\",\"power_limit_mw\":650000}}]}}");
        fake.Set("GPU-1", 250000);
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], path)) control.SetPowerLimit(300);
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
        Assert.That(Directory.GetFiles(fake.Folder, "restore-rank*"), Is.EqualTo(new[] { path }));
        Assert.That(File.ReadAllText(path), Does.Contain("GPU-9"));
    }

    [TestCase("")]
    [TestCase("{\"host\":\"n\",\"devices\":[{\"uuid\":\"GPU-1\",\"power_li")]
    [TestCase("{}")]
    public void With_a_damaged_record_nothing_is_set(string content)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        File.WriteAllText(path, content);
        fake.Set("GPU-1", 250000);
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], path))
            Assert.That(() => control.SetPowerLimit(300),
                Throws.InstanceOf<UserErrorException>().With.Message.Contains(path).And.Message.Contains("nvidia-smi -pl"));
        Assert.That((fake.State("GPU-1"), File.ReadAllText(path)), Is.EqualTo(((250000, 0), content)));
    }

    [Test]
    public void Of_two_runs_on_one_device_the_second_is_refused()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        PowerControl Open(string run) =>
            PowerControl.Open(meter, ["n/GPU-1"],
            Path.Combine(Directory.CreateDirectory(Path.Combine(fake.Folder, run)).FullName, PowerControl.FileName(0)));
        using var second = Open("b");
        using (var first = Open("a"))
        {
            first.SetPowerLimit(250);
            Assert.That(() => second.SetPowerLimit(300),
                Throws.InstanceOf<UserErrorException>().With.Message.Contains("GPU-1").And.Message.Contains("another run"));
            Assert.That(PowerControl.RestoreDirectory(Path.Combine(fake.Folder, "a"), "n", fake.Library).Single(),
                Does.Contain("not restored").And.Contain("goes on"));
            Assert.That(fake.State("GPU-1"), Is.EqualTo((250000, 0)));
        }
        Assert.That(second.SetPowerLimit(300).Outcome, Is.EqualTo(ControlOutcome.Applied));
        second.Dispose();
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
    }

    [TestCase("deleted")]
    [TestCase("moved")]
    public void Limits_are_put_back_from_memory_where_the_directory_is_gone(string how)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var run = Directory.CreateDirectory(Path.Combine(fake.Folder, "run")).FullName;
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], Path.Combine(run, PowerControl.FileName(0))))
        {
            control.SetPowerLimit(250);
            control.LockSmClock(1410);
            if (how == "moved") Directory.Move(run, run + "-elsewhere");
            else Directory.Delete(run, recursive: true);
        }
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
    }

    [Test]
    public void Without_a_place_for_the_record_nothing_is_set()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        using var control = PowerControl.Open(meter, ["n/GPU-1"], Path.Combine(fake.Folder, "gone", PowerControl.FileName(0)));
        Assert.That(() => control.SetPowerLimit(250), Throws.InstanceOf<UserErrorException>().With.Message.Contains("none was set"));
        Assert.That(fake.State("GPU-1"), Is.Null);
    }

    /// <param name="code">nvml.h: 4 is NVML_ERROR_NO_PERMISSION; 0 stands for a driver that takes a value and does not keep it.</param>
    [TestCase(4, "Insufficient Permissions")]
    [TestCase(0, "reads 250 W")]
    public void What_could_not_be_put_back_is_said_with_the_command_that_mends_it(int code, string why)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        var said = new List<string>();
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], path, say: said.Add))
        {
            control.SetPowerLimit(250);
            fake.Refuse("GPU-1", code);
        }
        Assert.That(said, Has.Count.EqualTo(1));
        Assert.That(said[0], Does.Contain(why).And.Contain("nvidia-smi -i GPU-1 -pl 700").And.Contain($"harness restore {fake.Folder}"));
        Assert.That(PowerControl.RestoreFile(path, "n", fake.Library), Does.Contain("not set back"));
        Assert.That(File.Exists(path), "the record stays until the device reads as it was");
        fake.Refuse("GPU-1", null);
        Assert.That(PowerControl.RestoreFile(path, "n", fake.Library), Does.Contain(": restored GPU-1 to 700 W"));
        Assert.That((fake.State("GPU-1"), File.Exists(path)), Is.EqualTo(((700000, 0), false)));
    }

    [Test]
    public void A_clock_that_somebody_else_has_locked_stays_locked()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        fake.Set("GPU-1", 700000, 1410);
        using var meter = NvmlMeter.OpenAll("n", s_clock, fake.Library);
        var path = Path.Combine(fake.Folder, PowerControl.FileName(0));
        using (var control = PowerControl.Open(meter, ["n/GPU-1"], path)) control.SetPowerLimit(250);
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 1410)));
    }

    [Test]
    public void A_damaged_record_keeps_no_other_from_being_restored()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1");
        fake.Set("GPU-1", 250000);
        File.WriteAllText(Path.Combine(fake.Folder, PowerControl.FileName(0)), "{");
        File.WriteAllText(Path.Combine(fake.Folder, PowerControl.FileName(1)), $"{{\"host\":\"n\",\"devices\":[{Original}]}}");
        var lines = PowerControl.RestoreDirectory(fake.Folder, "n", fake.Library);
        Assert.That(lines, Has.Some.Contains(": restored GPU-1 to 700 W").And.Some.Contains("restore-rank0.json: not a record"));
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
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
