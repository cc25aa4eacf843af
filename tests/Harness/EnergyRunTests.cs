using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Runs;
using Harness.Runs.Pieces;
using Harness.Runs.Records;
using Harness.Runs.Verifying;
using Harness.Tests.Energy;

namespace Harness.Tests;

/// <summary>
/// Whole runs of the demo model while the fake NVML library, or a program, plays the meter. The CPU backend computes, so a
/// run that is measured by GPUs alone is never valid: device_missing is in every such list of reasons.
/// </summary>
[TestFixture, Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux"), Parallelizable(ParallelScope.All),
    FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class EnergyRunTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Test]
    public void TheJoulesOfAKnownPowerComeOutAndAddUp()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 name Fake H100", "device 0 curve constant 200",
            "device 0 update 0.02");
        var run = Run(fake, "--limit", "24");
        var summary = run.Summary();
        Assert.Multiple(() =>
        {
            Assert.That(summary.Energy.AverageWatts, Is.EqualTo(200).Within(2).Percent);
            Assert.That(summary.Energy.Total, Is.EqualTo(200 * summary.DurationSeconds!.Value).Within(2).Percent);
            Assert.That(summary.EnergySource, Is.EqualTo("nvml_counter"));
            Assert.That(summary.InvalidReasons, Is.EqualTo("device_missing"));
            Assert.That((summary.Gpu, summary.NumGpus), Is.EqualTo(("Fake H100", 1)));
            Assert.That(run.Prompts().Sum(row => row.EnergyJoules) + summary.Energy.Unattributed, Is.EqualTo(summary.Energy.Total)
                .Within(1e-9 * summary.Energy.Total!.Value));
            Assert.That(run.Prompts().Sum(row => row.PrefillEnergyJoules), Is.EqualTo(summary.Energy.Prefill)
                .Within(1e-9 * summary.Energy.Total.Value));
        });
        Assert.That(Verify(run), Is.Zero);
    }

    [Test]
    public void FourRanksOnTwoDevicesCountTwo()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 curve constant 100", "device 1 uuid GPU-2",
            "device 1 curve constant 300");
        var run = Run(fake, "--limit", "24", "--tp", "4");
        Assert.That(run.Summary().Energy.AverageWatts, Is.EqualTo(400).Within(2).Percent);
        Assert.That(run.Summary().NumGpus, Is.EqualTo(2));
        Assert.That(run.Ranks().Where(row => row.Window == "measured-1").Select(row => row.Device),
            Is.EqualTo(new[] { "GPU-1", "GPU-2", "GPU-1", "GPU-2" }));
    }

    /// <summary>
    /// Two stages of two tensor ranks, each on a device of a constant power: joules of a phase are that power times the seconds that the
    /// rank's links counted for themselves.
    /// </summary>
    [Test]
    public void WhatARankDidWithItsJoulesAddsUpToThem()
    {
        using var fake = new FakeNvml([.. Enumerable.Range(0, 4).SelectMany(device => new[]
        {
            $"device {device} uuid GPU-{device}", $"device {device} curve constant {100 + 100 * device}", $"device {device} update 0.02",
        })]);
        var run = Run(fake, "--limit", "2", "--tp", "2", "--pp", "2");
        var rows = run.Ranks().ToList();
        Assert.Multiple(() =>
        {
            foreach (var row in rows)
            {
                double?[] parts =
                    [row.PrefillJoules, row.DecodeJoules, row.CommunicationJoules, row.WaitingJoules, row.OtherJoules];
                var joules = row.EnergyJoules!.Value;
                Assert.That(parts.Sum(), Is.EqualTo(joules).Within(1e-9 * joules), $"rank {row.Rank}, {row.Window}");
                Assert.That(parts, Is.All.GreaterThanOrEqualTo(0));
                if (row.Window is "load" or "idle") Assert.That(row.OtherJoules, Is.EqualTo(joules).Within(1e-9 * joules));
            }
            foreach (var row in rows.Where(row => row.Window == "measured-1"))
            {
                var (watts, within) = (100 + 100 * row.Rank, 0.03 * row.EnergyJoules!.Value);
                Assert.That(row.WaitingJoules, Is.EqualTo(watts * row.ReceiveWaitSeconds).Within(within), $"rank {row.Rank}");
                Assert.That(row.CommunicationJoules, Is.GreaterThan(watts * row.CollectiveWaitSeconds!.Value - within), $"rank {row.Rank}");
                Assert.That(row.PrefillJoules, Is.Positive);
                Assert.That(row.DecodeJoules - row.PrefillJoules, Is.Positive, "120 tokens of each prompt");
            }
        });
        var phases = JsonDocument.Parse(File.ReadAllText(RunFile.Energy.In(run.Directory))).RootElement.GetProperty("phases");
        Assert.That(phases.GetProperty("waiting_j").GetDouble(), Is.EqualTo(rows.Where(row => row.Repeat > 0).Sum(row => row.WaitingJoules))
            .Within(1e-9).Percent);
        Assert.That(new RunVerification(run.Directory).Check(), Is.All.EndsWith("sample_gap"), "samples may come late, no figure may differ");
        var file = RunFile.Phases.In(run.Directory);
        File.WriteAllLines(file, File.ReadAllLines(file).SkipLast(20));
        Assert.That(new RunVerification(run.Directory).Check(), Has.Some.Contains("rank 3, measured-1, decode_j"));
        File.Delete(file);
        Assert.That(new RunVerification(run.Directory).Check(), Has.Some.Contains("rank 0, measured-1, communication_j"));
    }

    /// <summary>
    /// More than once where other programs keep the sampler from its core, which makes a run invalid (sample_gap), and rightly.
    /// </summary>
    [Test, Retry(3)]
    public void AMeterThatCoversTheWorkMakesAValidRun()
    {
        var meter = Program("while :; do awk '{ printf \"J %.3f\\n\", $1 * 80; fflush() }' /proc/uptime; sleep 0.02; done");
        var run = Run(null, "--limit", "24", "--meter", $"command:{meter}");
        // Whoever else computes on the machine of the tests is a reason, and the only one.
        Assert.That(run.Summary().InvalidReasons, Is.Null.Or.EqualTo("device_shared"));
        Assert.That(run.Summary().Valid, Is.EqualTo(run.Summary().InvalidReasons == null));
        Assert.That(run.Summary().Energy.AverageWatts, Is.EqualTo(80).Within(5).Percent);
        Assert.That(run.Summary().Energy.Net, Is.Null.Or.EqualTo(0).Within(0.1 * run.Summary().Energy.Total!.Value),
            "an idle power as high as the load's leaves nothing");
        Assert.That(run.Prompts().Select(row => row.Valid), Is.All.EqualTo(run.Summary().Valid));
    }

    /// <summary>Each has a name of its own, by which its joules are told; while power rises, no two of them are equal.</summary>
    [Test]
    public void EveryCooldownHasItsOwnJoules()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 curve ramp 100 700 60", "device 0 update 0.02");
        var run = Run(fake, "--limit", "4", "--repeats", "3", "--cooldown", "400ms");
        var windows = File.ReadLines(RunFile.Windows.In(run.Directory)).Select(line => JsonNode.Parse(line)!).ToList();
        var names = windows.Select(window => (string?)window["window"]!["window"]);
        Assert.That(names, Is.Unique.And.SupersetOf(new[] { "cooldown", "cooldown-2", "cooldown-3" }));
        var rows = run.Ranks().ToDictionary(row => row.Window, row => row.EnergyJoules);
        foreach (var window in windows)
            Assert.That(rows[(string)window["window"]!["window"]!], Is.EqualTo((double?)window["devices"]![0]!["energy_j"]));
    }

    /// <summary>An interval that no repeats reach: the limit ends them, whatever the sensor's pace, and each has its joules.</summary>
    [LongTestCase("0.1")]
    [TestCase("0.02")]
    [LongTestCase("0.001")]
    public void RepeatsGoOnUntilTheIntervalOrTheLimit(string update)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 curve constant 200", $"device 0 update {update}");
        var run = Run(fake, "--limit", "4", "--batch", "4", "--tp", "2", "--until-ci", "0.0001%", "--max-repeats", "5");
        using var energy = JsonDocument.Parse(File.ReadAllBytes(RunFile.Energy.In(run.Directory)));
        var repeats = energy.RootElement.GetProperty("repeats").EnumerateArray().ToList();
        Assert.That(repeats.Select(repeat => repeat.GetProperty("repeat").GetInt32()), Is.EqualTo(new[] { 1, 2, 3, 4, 5 }));
        foreach (var repeat in repeats)
            Assert.That(repeat.GetProperty("energy_j").GetDouble(), Is.EqualTo(200 * repeat.GetProperty("duration_s").GetDouble())
                .Within(5).Percent);
        Assert.That(energy.RootElement.GetProperty("energy_per_output_token").GetProperty("repeats").GetInt32(), Is.EqualTo(5));
    }

    [Test]
    public void WithoutAMeterNoIntervalIsWaitedFor()
    {
        var result = Harness(null, "run", "--name", "r", "--meter", "none", "--limit", "2", "--until-ci", "2%").Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Does.Contain("--until-ci 2%: no meter measures here"));
        Assert.That(new RunReader(_scratch["results", "r"]).Prompts().Select(row => row.Repeat).Distinct(), Is.EqualTo(new[] { 1, 2, 3 }));
    }

    [TestCase("mig", "device 0 mig 1")]
    [TestCase("device_shared", "device 0 processes 1")]
    [TestCase("throttled", "device 0 throttle 0x40 0 1000")]
    [TestCase("start_temperature", "device 0 temperature 80 80 1", "--max-start-temperature", "60", "--Energy:CooldownLimit=0.2s")]
    [TestCase("window_too_short", "device 0 update 5")]
    public void EachReasonInTheDeviceIsSeen(string reason, string setting, params string[] switches)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", setting);
        var summary = Run(fake, ["--limit", "16", .. switches]).Summary();
        Assert.That(summary.Valid, Is.False);
        Assert.That(summary.InvalidReasons!.Split(';'), Does.Contain(reason));
        Assert.That((summary.Status, summary.Completed), Is.EqualTo(("complete", 16)), "times and tokens stand");
    }

    /// <summary>
    /// A polled counter: what the last reading shows is up to half a second old, and so is what is known of a killed run.
    /// </summary>
    [Test]
    public void OfAKilledRunCountsWhatTheSensorHasShown()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 curve constant 200", "device 0 update 0.5");
        string[] switches = ["run", "--name", "r", "--ignore-eos", "--max-new-tokens", "120", "--batch", "4", "--meter", "nvml",
            "--repeats", "5"];
        var prompts = Path.Combine(_scratch["results", "r"], "prompts.partial.csv");
        using (var process = Harness(fake, switches))
        {
            Until(() => File.Exists(prompts) && Lines(prompts) > 3.5 * 96);
            process.Signal("KILL");
            process.Wait();
        }
        var result = Harness(fake, switches).Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var run = new RunReader(_scratch["results", "r"]);
        var summary = run.Summary();
        Assert.That((summary.Pieces, summary.Completed), Is.EqualTo((2, 5 * 96)));
        Assert.That(summary.Energy.Total, Is.EqualTo(200 * summary.DurationSeconds!.Value).Within(5).Percent);
        Assert.That(run.Prompts().Sum(row => row.EnergyJoules) + summary.Energy.Unattributed, Is.EqualTo(summary.Energy.Total)
            .Within(1e-9 * summary.Energy.Total!.Value));
        Assert.That(Verify(run), Is.Zero);

        static int Lines(string path)
        {
            using var text = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            return text.ReadToEnd().Count(c => c == '\n');
        }
    }

    [Test]
    public void AMeterThatFailsInMidRunMakesTheRunInvalidAndTheOtherResultsStay()
    {
        var meter = Program("for i in $(seq 60); do awk '{ printf \"J %.3f\\n\", $1 * 80; fflush() }' /proc/uptime; sleep 0.05; done");
        var run = Run(null, "--limit", "8", "--meter", $"command:{meter}", "--repeats", "2", "--cooldown", "4s");
        var summary = run.Summary();
        Assert.That(summary.InvalidReasons!.Split(';'), Does.Contain("meter_lost"));
        Assert.That((summary.Status, summary.Completed, summary.Energy.Total), Is.EqualTo(("complete", 16, (double?)null)));
    }

    [Test]
    public void PowerLimitsAreSweptAndPutBack()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 700000 700000 100000 700000");
        var result = Harness(fake, "run", "--limit", "4", "--warmup", "0", "--meter", "nvml", "--name", "sweep", "--power-limits",
            "250,175").Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
        var limits = new[] { "sweep-250W", "sweep-175W" }.Select(name =>
            new RunReader(_scratch["results", name]).Summary().PowerLimitWatts);
        Assert.That(limits, Is.EqualTo(new double?[] { 250, 175 }));
        Assert.That(string.Join('\n', fake.Log()), Does.Match("(?s)250000.*700000.*175000.*700000"));
    }

    /// <summary>'From Words to Watts', table of power caps, from a sweep that really sets them.</summary>
    [Test]
    public void ASweepOverPowerLimitsGivesThePapersTable()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 700000 700000 100000 700000", "device 0 update 0.02");
        string[] switches = ["--limit", "8", "--ignore-eos", "--max-new-tokens", "120", "--idle-baseline", "1s", "--meter", "nvml",
            "--out", "caps", "--power-limits", "250,175"];
        var swept = Harness(fake, ["sweep", .. switches]).Wait();
        Assert.That(swept.Output, Does.EndWith("2 cells: 2 invalid\n"), "a GPU's joules say nothing of work on the CPU");
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
        var runs = new[] { 250.0, 175.0 }.Select(limit =>
            Directory.GetDirectories(_scratch["caps"]).Where(path => File.Exists(RunFile.Summary.In(path)))
            .Select(path => new RunReader(path).Summary()).Single(summary => summary.PowerLimitWatts == limit)).ToList();

        var reported = Harness(fake, "report", "caps", "--markdown", "caps.md").Wait();
        Assert.That(reported.ExitCode, Is.Zero, reported.Error);
        var rows = File.ReadLines(_scratch["caps.md"]).SkipWhile(line => !line.StartsWith("| limit (W)", StringComparison.Ordinal)).Skip(2)
            .Take(2)
            .Select(line => line.Trim('|', ' ').Split(" | ")).ToList();
        Assert.That(rows.Select(row => row[0]), Is.EqualTo(new[] { "250.0", "175.0" }));
        Assert.That(rows[0][3..7], Is.All.EqualTo("0 %"));
        var time = runs[1].DurationSeconds!.Value / runs[0].DurationSeconds!.Value - 1;
        Assert.That(Percent(rows[1][3]), Is.EqualTo(100 * time).Within(0.006));
        Assert.That(Percent(rows[1][5]), Is.EqualTo(100 * (1 / (1 + time) - 1)).Within(0.006), "the same tokens in another time");
        Assert.That(rows[1][6], Is.EqualTo(rows[1][5]));

        static double Percent(string text) => double.Parse(text.Replace("−", "-").TrimEnd('%', ' '), CultureInfo.InvariantCulture);
    }

    [Test]
    public void WithoutThePrivilegeACellIsSkippedAndMarked()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 permission 0");
        var result = Harness(fake, "run", "--limit", "4", "--meter", "nvml", "--name", "sweep", "--power-limits", "250").Wait();
        Assert.That(result.Error, Does.Contain("not permitted"));
        var summary = new RunReader(_scratch["results", "sweep-250W"]).Summary();
        Assert.That((summary.Status, summary.Energy.Total, summary.TokensPerSecond),
            Is.EqualTo((RunStatus.Skipped, (double?)null, (double?)null)));
    }

    /// <summary>A sampler that a refused cell left running read the meter beside the next one's, and after the meter was closed.</summary>
    [Test]
    public void RefusedCellsLeaveNothingRunning()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 700000 700000 100000 700000");
        var result = Harness(fake, "run", "--limit", "4", "--warmup", "0", "--idle-baseline", "100ms", "--meter", "nvml", "--name", "r",
            "--sample-interval", "5ms", "--power-limits", "9999,9998,250,9996").Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var states = new[] { 9999, 9998, 250, 9996 }.Select(watts => new RunReader(_scratch["results", $"r-{watts}W"]).Summary().Status);
        Assert.That(states, Is.EqualTo(new[] { RunStatus.Skipped, RunStatus.Skipped, RunStatus.Complete, RunStatus.Skipped }));
        Assert.That(result.Error, Does.Not.Contain("loading").Or.Match("(?s)skipped-9998W.*loading"),
            "a setting is refused before weights are loaded");
    }

    [Test]
    public void FinishedAnswersStayWhereARunIsContinuedWithoutThePrivilege()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 700000 700000 100000 700000");
        string[] switches = ["run", "--meter", "nvml", "--name", "r", "--power-limits", "250", "--repeats", "3", "--idle-baseline",
            "100ms", "--batch", "4"];
        var directory = _scratch["results", "r-250W"];
        using (var process = Harness(fake, switches))
        {
            Until(() => File.Exists(Path.Combine(directory, "prompts.partial.csv"))
                && new FileInfo(Path.Combine(directory, "prompts.partial.csv")).Length > 3000);
            process.Signal("TERM");
            Assert.That(process.Wait().ExitCode, Is.EqualTo(3));
        }
        var before = new RunReader(directory).Prompts().Select(row => (row.Repeat, row.PromptIndex)).ToList();
        fake.Refuse("GPU-1", 4);
        var refused = Harness(fake, switches).Wait();
        Assert.That(refused.ExitCode, Is.EqualTo(1), refused.Error);
        Assert.That(refused.Error, Does.Contain("not permitted").And.Contain($"its {before.Count} finished answers stay"));
        Assert.That(new RunReader(directory).Summary().Status, Is.EqualTo(RunStatus.Interrupted));
        Assert.That(new RunReader(directory).Prompts().Select(row => (row.Repeat, row.PromptIndex)), Is.EqualTo(before));
        fake.Refuse("GPU-1", null);
        var finished = Harness(fake, switches).Wait();
        Assert.That(finished.ExitCode, Is.Zero, finished.Error);
        Assert.That(new RunReader(directory).Prompts().ToList(), Has.Count.EqualTo(3 * 96));
        Assert.That(Verify(new RunReader(directory)), Is.Zero);
    }

    /// <summary>A killed run is continued, which ends in order: the limit is that from before the first start.</summary>
    [Test]
    public void AKilledRunThatIsContinuedPutsBackTheFirstLimit()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 650000 700000 100000 700000");
        string[] switches = ["run", "--meter", "nvml", "--name", "r", "--power-limits", "250", "--limit", "24", "--idle-baseline", "100ms",
            "--batch", "4"];
        using (var process = Harness(fake, switches))
        {
            Until(() => fake.State("GPU-1") == (250000, 0));
            process.Signal("KILL");
            process.Wait();
        }
        var result = Harness(fake, switches).Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Does.Contain("GPU-1 was left changed by a run that was killed: put back to 650 W"));
        Assert.That(fake.State("GPU-1"), Is.EqualTo((650000, 0)));
        Assert.That(Directory.GetFiles(_scratch.Path, "restore-rank*", SearchOption.AllDirectories), Is.Empty);
    }

    [TestCase("INT", 3)]
    [TestCase("TERM", 3)]
    [TestCase("KILL", 137)]
    public void PowerLimitsArePutBackAfterEveryKindOfEnd(string signal, int exitCode)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 700000 700000 100000 700000");
        using var process = Harness(fake, "run", "--meter", "nvml", "--name", "r", "--power-limits", "250", "--repeats", "1000");
        var directory = _scratch["results", "r-250W"];
        Until(() => fake.State("GPU-1") == (250000, 0) && File.Exists(Path.Combine(directory, "prompts.partial.csv"))
            && new FileInfo(Path.Combine(directory, "prompts.partial.csv")).Length > 500);
        process.Signal(signal);
        Assert.That(process.Wait().ExitCode, Is.EqualTo(exitCode));
        if (signal == "KILL")
        {
            Assert.That(fake.State("GPU-1"), Is.EqualTo((250000, 0)), "a killed process puts nothing back itself");
            var restored = Harness(fake, "restore", directory).Wait();
            Assert.That(restored.ExitCode, Is.Zero, restored.Output + restored.Error);
        }
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
        if (signal != "KILL") Assert.That(new RunReader(directory).Summary().InvalidReasons!.Split(';'), Does.Contain("interrupted"));
    }

    /// <summary>Minutes before a time limit are not to be waited out, and ranks agree on the end.</summary>
    [TestCase("warmup", "--idle-baseline", "10min")]
    [TestCase("idle", "--cooldown", "10min")]
    [TestCase("idle", "--max-start-temperature", "10", "--Energy:CooldownLimit=10min")]
    public void AStopIsHeardWhereARunOnlyWaits(string after, params string[] switches)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-0", "device 1 uuid GPU-1");
        string[] idle = after == "idle" ? ["--idle-baseline", "100ms"] : [];
        using var process = Harness(fake, ["run", "--meter", "nvml", "--name", "r", "--dp", "2", .. idle, .. switches]);
        Until(() => StartJournal.Read(_scratch["results", "r"]).Windows.Any(window => window.Window.Name == after));
        process.Signal("USR1");
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.EqualTo(3), result.Error);
        Assert.That(result.Error, Does.Contain("stopped by SIGUSR1; finished batches are kept"));
        Assert.That(new RunReader(_scratch["results", "r"]).Summary().Status, Is.EqualTo(RunStatus.Interrupted));
    }

    [Test]
    public void AStopIsHeardBetweenTwoTensorsOfALoad()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-0");
        using var process = Harness(fake, "run", "--meter", "nvml", "--name", "r", "--model", "synthetic:tinyllama-1.1b", "--limit", "4");
        var directory = _scratch["results", "r"];
        Until(() => File.Exists(Path.Combine(directory, "energy-rank-000.partial.bin")));
        process.Signal("TERM");
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.EqualTo(3), result.Error);
        Assert.That(new RunReader(directory).Summary().Status, Is.EqualTo(RunStatus.Interrupted));
        Assert.That(StartJournal.Read(directory).Windows, Has.Count.EqualTo(1), "nothing came after the load");
    }

    /// <summary>Whether the second finds the run at its end or cuts that short.</summary>
    [TestCase("INT")]
    [TestCase("TERM")]
    public void PowerLimitsArePutBackAfterASecondSignal(string signal)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 limit_mw 700000 700000 100000 700000");
        using var process = Harness(fake, "run", "--meter", "nvml", "--name", "r", "--power-limits", "250", "--repeats", "1000", "--batch",
            "96", "--ignore-eos");
        Until(() => fake.State("GPU-1") == (250000, 0) && Directory.Exists(_scratch["results", "r-250W"]));
        process.Signal(signal);
        process.Signal(signal);
        Assert.That(process.Wait().ExitCode, Is.AnyOf(3, 128 + (signal == "INT" ? 2 : 15)));
        Assert.That(fake.State("GPU-1"), Is.EqualTo((700000, 0)));
        Assert.That(Directory.GetFiles(_scratch.Path, "restore-rank*", SearchOption.AllDirectories), Is.Empty);
    }

    [Test]
    public void VerifySeesEveryChange()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-1", "device 0 update 0.02");
        var run = Run(fake, "--limit", "8", "--tp", "2");
        Assert.That(Verify(run), Is.Zero);
        Changed("power.csv", lines => lines[lines.Count * 2 / 3] = Bump(lines[0], lines[lines.Count * 2 / 3], "energy_j", -1e6));
        Changed("prompts.csv", lines => lines[1] = Bump(lines[0], lines[1], "energy_j", 0.5));
        Changed("summary.csv", lines => lines[1] = Bump(lines[0], lines[1], "tokens_per_s", 0.5));
        Changed("ranks.csv", lines => lines.RemoveAt(lines.Count - 1));
        Changed("steps.jsonl", lines => lines.RemoveAt(lines.Count - 1));
        Assert.That(Verify(run), Is.Zero, "each was put back");

        void Changed(string file, Action<List<string>> change)
        {
            var path = Path.Combine(run.Directory, file);
            var before = File.ReadAllText(path);
            var lines = File.ReadAllLines(path).ToList();
            change(lines);
            File.WriteAllLines(path, lines);
            Assert.That(Verify(run), Is.Positive, file);
            File.WriteAllText(path, before);
        }
    }

    /// <summary>The line with a number added to one of its columns; no field of these files that comes before it holds a comma.</summary>
    private static string Bump(string header, string line, string column, double by)
    {
        var (names, fields) = (header.Split(','), line.Split(','));
        var i = Array.IndexOf(names, column) + fields.Length - names.Length;      // fields before it may hold commas
        fields[i] = (double.Parse(fields[i], CultureInfo.InvariantCulture) + by).ToString("R", CultureInfo.InvariantCulture);
        return string.Join(',', fields);
    }

    /// <summary>Every prompt is answered at length, so that windows hold enough updates of the sensor on a quick machine too.</summary>
    private RunReader Run(FakeNvml? fake, params string[] switches)
    {
        string[] meter = switches.Contains("--meter") ? [] : ["--meter", "nvml"];
        var name = $"r{TestContext.CurrentContext.CurrentRepeatCount}";
        var result = Harness(fake,
            ["run", "--name", name, "--idle-baseline", "1s", "--ignore-eos", "--max-new-tokens", "120", .. meter, .. switches]).Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        return new RunReader(_scratch["results", name]);
    }

    /// <summary>How many figures do not follow from the raw files.</summary>
    private static int Verify(RunReader run) => new RunVerification(run.Directory).Check().Count;

    private HarnessProcess Harness(FakeNvml? fake, params string[] arguments) => fake == null
        ? HarnessProcess.Start(_scratch.Path, arguments)
        : HarnessProcess.Start(_scratch.Path, arguments, ("HARNESS_NVML_LIBRARY", fake.Library));

    private string Program(string shell)
    {
        var path = _scratch.File("meter.sh", $"#!/bin/sh\n{shell}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    private static void Until(Func<bool> condition)
    {
        for (var tries = 0; !condition(); tries++)
        {
            Assert.That(tries, Is.LessThan(6000), "nothing happened for five minutes");
            Thread.Sleep(50);
        }
    }
}
