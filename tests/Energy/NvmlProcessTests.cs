using System.Diagnostics;
using System.Text.Json;
using Harness.Energy.Accounting;
using Harness.Energy.Control;
using Harness.Energy.Records;
using Harness.Energy.Sampling;

namespace Harness.Tests.Energy;

/// <summary>The real binding in processes of its own, which load the fake library as a rank would: by HARNESS_NVML_LIBRARY.</summary>
[Parallelizable]
public class NvmlProcessTests
{
    private const string Gpu0 = "GPU-00000000-0000", Gpu1 = "GPU-11111111-1111";
    private static readonly ScriptedCurve s_steps = ScriptedCurve.Steps(240, 300, 2.3);
    private static readonly ScriptedCurve s_ramp = ScriptedCurve.Ramp(150, 400, 7.3);
    private static readonly ScriptedCurve s_noise = ScriptedCurve.Noise(270, 20, 3);

    private static FakeNvml TwoDevices(params string[] more) => new([
        $"device 0 uuid {Gpu0}", $"device 0 curve {s_steps.Script}", "device 0 update 0.1", "device 0 processes 1",
        $"device 1 uuid {Gpu1}", $"device 1 curve {s_ramp.Script}", "device 1 update 0.02", .. more]);

    [Test]
    [Retry(3)]   // a machine too busy to read at an edge spoils that edge
    public void Window_energy_in_real_time_is_the_scripted_integral()
    {
        using var fake = TwoDevices("device 2 uuid GPU-2", $"device 2 curve {s_noise.Script}", "device 2 update 0.02 0.011",
            "device 3 uuid GPU-3", $"device 3 curve {s_steps.Script}", "device 3 update 0.02 0.007");
        RunProbe(fake, "nvml:all", "0.1", "1", "5");
        var (account, windows) = (Account(fake, 0), Windows(fake, 0));
        var curves = new Dictionary<string, ScriptedCurve> { [Gpu0] = s_steps, [Gpu1] = s_ramp, ["GPU-2"] = s_noise, ["GPU-3"] = s_steps };
        foreach (var window in windows)
        {
            var limit = window.DurationSeconds > 4 ? 0.005 : 0.02;
            foreach (var device in account.Resolve(window).Devices)
            {
                var truth = curves[device.Device].Between(window.StartSeconds - fake.OriginSeconds, window.EndSeconds - fake.OriginSeconds);
                var (counter, power) = (device.CounterJoules!.Value / truth - 1, device.PowerJoules!.Value / truth - 1);
                TestContext.Out.WriteLine(FormattableString.Invariant(
                    $"{window.DurationSeconds:F3} s {device.Device}: {truth:F1} J, counter {counter:P3}, power {power:P3}, longest gap {device.LongestGapSeconds:F3} s"));
                Assert.That(Math.Abs(counter), Is.LessThan(limit), $"{window.Name} {device.Device} by counter");
                Assert.That(Math.Abs(power), Is.LessThan(limit), $"{window.Name} {device.Device} by power");
            }
        }
    }

    [Test]
    [Retry(3)]
    public void Four_ranks_on_two_devices_count_two_devices()
    {
        using var fake = TwoDevices();
        var ranks = Enumerable.Range(0, 4)
            .Select(rank => Process.Start(Processes.Start("dotnet", Processes.Probe("measure", "nvml", fake.Folder, "0.1", "1.5"),
            ("HARNESS_NVML_LIBRARY", fake.Library), ("PROBE_RANK", $"{rank}"), ("PROBE_SIZE", "4")))!).ToList();
        foreach (var rank in ranks)
        {
            Assert.That(rank.WaitForExit(180_000), "the probe ends");
            Assert.That(rank.ExitCode, Is.Zero, rank.StandardError.ReadToEnd());
            rank.Dispose();
        }
        AssertTwoDevices(fake);
    }

    [Test]
    [Retry(3)]
    public void Under_mpiexec_too()
    {
        var mpiexec = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(d => Path.Combine(d, "mpiexec"))
            .FirstOrDefault(File.Exists);
        if (mpiexec == null) Assert.Ignore("mpiexec is not on this machine: not run");
        using var fake = TwoDevices();
        var isOpenMpi = Processes.Run(mpiexec!, ["--version"]).Output.Contains("Open", StringComparison.OrdinalIgnoreCase);
        string[] options = isOpenMpi ? ["--oversubscribe", "--allow-run-as-root"] : [];
        var (code, output) =
            Processes.Run(mpiexec!, [.. options, "-n", "4", "dotnet", .. Processes.Probe("measure", "nvml", fake.Folder, "0.1", "1.5")],
            ("HARNESS_NVML_LIBRARY", fake.Library));
        Assert.That(code, Is.Zero, output);
        AssertTwoDevices(fake);
    }

    [Test]
    [Retry(3)]
    public void A_meter_that_fails_in_mid_run_spoils_its_windows_and_no_others()
    {
        using var fake = new FakeNvml($"device 0 uuid {Gpu0}", $"device 1 uuid {Gpu1}", "device 1 fail_on_file 1");
        // windows of 1 s and 3 s once the probe is ready; the GPU is lost in the second
        var probe = Task.Run(() => RunProbe(fake, "nvml:all", "0.05", "1", "3"));
        Assert.That(() => File.Exists(Path.Combine(fake.Folder, "ready-0")), Is.True.After(30_000, 10));
        Thread.Sleep(2500);
        fake.Fail(Gpu1);
        probe.Wait();
        var (account, windows) = (Account(fake, 0), Windows(fake, 0));
        Assert.That(account.Resolve(windows[0]).InvalidReasons, Is.Empty, "before it was lost");
        var second = account.Resolve(windows[1]);
        Assert.That(second.Devices.Single(d => d.Device == Gpu0).InvalidReasons, Is.Empty);
        var lost = second.Devices.Single(d => d.Device == Gpu1);
        Assert.That(lost.InvalidReasons, Does.Contain(InvalidReason.MeterLost));
        Assert.That(lost.Joules, Is.Null, "joules that were not measured are absent");
        Assert.That(second.Joules, Is.Null);
    }

    [TestCase("exit")]
    [TestCase("throw")]
    [TestCase("SIGINT")]
    [TestCase("SIGTERM")]
    [TestCase("SIGHUP")]
    public void Power_limits_are_put_back_on_every_way_out(string ending)
    {
        using var fake = TwoDevices("device 1 limit_mw 650000 700000 200000 700000");
        RunLimit(fake, ending);
        Assert.That(fake.State(Gpu0), Is.EqualTo((700000, 0)));
        Assert.That(fake.State(Gpu1), Is.EqualTo((650000, 0)), "what it was before, not the default");
        Assert.That(fake.Log(), Does.Contain($"{Gpu0} 250000 1410"), "limits were changed in between");
        Assert.That(Directory.GetFiles(fake.Folder, "restore-*"), Is.Empty);
    }

    [Test]
    public void After_SIGKILL_they_are_put_back_from_the_file()
    {
        using var fake = TwoDevices("device 1 limit_mw 650000 700000 200000 700000");
        RunLimit(fake, "SIGKILL");
        Assert.That(fake.State(Gpu1), Is.EqualTo((250000, 1410)), "nobody could put them back");

        Assert.That(PowerControl.RestoreDirectory(fake.Folder, "other-host", fake.Library).Single(),
            Does.Contain("probe-host").And.Contain("harness restore"));
        Assert.That(fake.State(Gpu1), Is.EqualTo((250000, 1410)));
        var report = PowerControl.RestoreDirectory(fake.Folder, "probe-host", fake.Library);
        Assert.That(report.Single(), Does.Contain($"{Gpu1} to 650 W"));
        Assert.That(fake.State(Gpu0), Is.EqualTo((700000, 0)));
        Assert.That(fake.State(Gpu1), Is.EqualTo((650000, 0)));
        Assert.That(PowerControl.RestoreDirectory(fake.Folder, "probe-host", fake.Library), Is.Empty, "nothing is left to do");
    }

    /// <summary>Another run, which knows nothing of the killed one's directory: the machine itself remembers.</summary>
    [Test]
    public void After_SIGKILL_the_next_run_finds_the_originals_wherever_the_record_is()
    {
        using var fake = TwoDevices("device 1 limit_mw 650000 700000 200000 700000");
        RunLimit(fake, "SIGKILL");
        foreach (var record in Directory.GetFiles(fake.Folder, "restore-*")) File.Delete(record);
        using (var meter = Harness.Energy.Nvml.NvmlMeter.OpenAll("h", new Harness.Energy.MonotonicClock(), fake.Library))
        using (var control =
            PowerControl.Open(meter, [.. meter.Domains.Select(domain => domain.Key)], Path.Combine(fake.Folder, PowerControl.FileName(0))))
            Assert.That(control.SetPowerLimit(300).Outcome, Is.EqualTo(ControlOutcome.Applied));
        Assert.That((fake.State(Gpu0), fake.State(Gpu1)), Is.EqualTo(((700000, 0), (650000, 0))));
    }

    private static void RunLimit(FakeNvml fake, string ending)
    {
        var isSignal = ending.StartsWith("SIG", StringComparison.Ordinal);
        // What a shell in the background, or nohup, has its children ignore.
        using var process = Process.Start(Processes.Start("env",
            ["--default-signal=INT,HUP", "dotnet", .. Processes.Probe("limit", fake.Folder, "250", isSignal ? "wait" : ending)],
            ("HARNESS_NVML_LIBRARY", fake.Library)))!;
        while (process.StandardOutput.ReadLine() is { } line && line != "set") TestContext.Out.WriteLine(line);
        if (isSignal) Processes.Run("kill", [$"-{ending[3..]}", $"{process.Id}"]);
        var ended = process.WaitForExit(120_000);
        if (!ended) process.Kill();
        Assert.That(ended, "the probe ends");
    }

    private static void RunProbe(FakeNvml fake, string meter, params string[] arguments)
    {
        var (code, output) =
            Processes.Run("dotnet", Processes.Probe(["measure", meter, fake.Folder, .. arguments]), ("HARNESS_NVML_LIBRARY", fake.Library));
        Assert.That(code, Is.Zero, output);
        TestContext.Out.WriteLine(File.ReadAllText(Path.Combine(fake.Folder, "cost-0.json")));
    }

    private static EnergyAccount Account(FakeNvml fake, params int[] ranks)
    {
        var series = ranks.SelectMany(r => PowerRecords.Read(Path.Combine(fake.Folder, $"power-{r}.csv"))).ToList();
        var sensors = ranks.SelectMany(r =>
            JsonSerializer.Deserialize<SensorCharacteristics[]>(File.ReadAllText(Path.Combine(fake.Folder, $"sensors-{r}.json")))!);
        return Accounting.Of(series, sensors);
    }

    private static List<EnergyWindow> Windows(FakeNvml fake, int rank)
    {
        using var file = new StreamReader(Path.Combine(fake.Folder, $"windows-{rank}.jsonl"));
        return [.. WindowRecords.Read(file, "windows.jsonl").Select(w => w.Window)];
    }

    private static void AssertTwoDevices(FakeNvml fake)
    {
        var series = Enumerable.Range(0, 4).SelectMany(r => PowerRecords.Read(Path.Combine(fake.Folder, $"power-{r}.csv"))).ToList();
        Assert.That(series, Has.Count.EqualTo(4));
        var ledger = new DeviceLedger(series, ComputesOn.Gpus);
        Assert.That(ledger.Counted.Select(e => e.Domain.Device), Is.EqualTo(new[] { Gpu0, Gpu1 }));
        Assert.That(ledger.Counted.Select(e => e.Ranks), Is.EqualTo(new[] { new[] { 0, 2 }, [1, 3] }));
        // the ranks' windows begin together, but for a few milliseconds: what they share
        var windows = Enumerable.Range(0, 4).Select(r => Windows(fake, r).Single()).ToList();
        var shared = windows[0] with { StartSeconds = windows.Max(w => w.StartSeconds), EndSeconds = windows.Min(w => w.EndSeconds) };
        var (start, end) = (shared.StartSeconds - fake.OriginSeconds, shared.EndSeconds - fake.OriginSeconds);
        Assert.That(Account(fake, 0, 1, 2, 3).Resolve(shared).Joules, Is.EqualTo(s_steps.Between(start, end) + s_ramp.Between(start, end))
            .Within(2).Percent, "each device once");
    }
}
