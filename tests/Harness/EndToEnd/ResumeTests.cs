using System.Diagnostics;
using System.Text.Json.Nodes;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.EndToEnd;

/// <summary>Runs that are cut off in every way there is, and continued by the same command.</summary>
[TestFixture, Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase), Platform("Linux"),
    System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ResumeTests : IDisposable
{
    private const double Watts = 80;
    private const int Prompts = 96, Batch = 4;

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>A meter whose joules since boot are known: 80 W whatever happens.</summary>
    private string[] Run(params string[] switches) => RunOn(0.02, switches);

    private string[] RunOn(double updateSeconds, string[] switches)
    {
        // a killed parent ends it, too
        var meter = _scratch.File("meter.sh",
            $"#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do awk '{{ printf \"J %.3f\\n\", $1 * {Watts}; fflush() }}' /proc/uptime; sleep "
            + $"{updateSeconds}; done\n");
        File.SetUnixFileMode(meter, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return ["run", "--ignore-eos", "--max-new-tokens", "100", "--batch", $"{Batch}", "--repeats", "2", "--idle-baseline", "300ms",
            "--meter", $"command:{meter}", "--out", "out", .. switches];
    }

    [LongTestCase("1", "1", "1")]
    [TestCase("2", "1", "2")]
    public void KilledTwiceAndStoppedOnceARunEndsAsIfNothingHadHappened(string tensor, string pipeline, string data)
    {
        string[] layout = ["--tp", tensor, "--pp", pipeline, "--dp", data];
        CutOff("KILL", 3, layout);
        CutOff("KILL", 2, layout);
        CutOff("USR1", 2, layout);
        Assert.That(new RunOutput(_scratch["out", "run"]).Summary["status"], Is.EqualTo("interrupted"));
        Verify();
        Finish(layout);

        var run = new RunOutput(_scratch["out", "run"]);
        var whole = HarnessProcess.Run(_scratch.Path, Run([.. layout, "--name", "whole"]));
        Assert.That(whole.ExitCode, Is.Zero, whole.Error);
        var expected = new RunOutput(_scratch["out", "whole"]);
        Assert.Multiple(() =>
        {
            Assert.That(run.OutputIds(), Is.EqualTo(expected.OutputIds()), "every prompt of every repeat once, with the same tokens");
            Assert.That(run.Prompts, Has.Count.EqualTo(2 * Prompts));
            Assert.That(run.Files, Is.EqualTo(expected.Files.Except(["phases.csv"])),
                "nothing is left to continue from; what ranks did with their time a killed start does not tell");
            var starts = run.Manifest["starts"]!.AsArray();
            Assert.That(starts.Select(start => (string?)start!["end"]),
                Is.EqualTo(new[] { "killed", "killed", "interrupted", "complete" }));
            Assert.That(starts.Sum(start => (int?)start!["batches"] ?? 0), Is.EqualTo(2 * Prompts / Batch));
            Assert.That(run.Summary["pieces"], Is.EqualTo($"{starts.Count(start => (int)start!["batches"]! > 0)}"));
            Assert.That(run.Prompts.Select(row => row["piece"]).Distinct().Count(), Is.EqualTo(int.Parse(run.Summary["pieces"])));
            Assert.That(run.Summary["status"], Is.EqualTo("complete"));
            Assert.That(run.Summary["invalid_reasons"].Split(';'),
                Is.SubsetOf(new[] { "", "window_too_short", "sample_gap", "device_shared" }),
                "that it was cut off is no reason; that pieces are short is, and others on the machine are");
            // What counts is what led to a result: watts times the measured seconds, without those of torn batches.
            Assert.That(Number(run, "total_energy_j"), Is.EqualTo(Watts * Number(run, "duration_s")).Within(5).Percent);
            Assert.That(run.Prompts.Sum(row => double.Parse(row["energy_j"])) + Number(run, "unattributed_energy_j"),
                Is.EqualTo(Number(run, "total_energy_j")).Within(1e-6).Percent);
            Assert.That(TornSeconds(run), Is.GreaterThan(0), "and the torn batches' time lies beside it");
        });
        Verify();
    }

    /// <summary>A meter that is slower than the batches: its last reading is later than the last joules it tells of.</summary>
    [Test]
    public void ABatchOfAKilledRunCountsWhenTheMeterHasUpdatedAfterIt()
    {
        string[] switches = RunOn(0.4, ["--name", "run", "--Repeats:Count=4"]);
        using (var process = HarnessProcess.Start(_scratch.Path, switches))
        {
            WaitForBatches(() => _scratch["out", "run"], 3 * Prompts / Batch, process);
            process.Signal("KILL");
            process.Wait();
        }
        var result = HarnessProcess.Run(_scratch.Path, switches);
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var run = new RunOutput(_scratch["out", "run"]);
        Assert.That(run.Prompts, Has.Count.EqualTo(4 * Prompts));
        Assert.That(run.Summary["pieces"], Is.EqualTo("2"));
        Assert.That(Number(run, "total_energy_j"), Is.EqualTo(Watts * Number(run, "duration_s")).Within(10).Percent);
        Assert.That(run.Prompts.Sum(row => double.Parse(row["energy_j"])) + Number(run, "unattributed_energy_j"),
            Is.EqualTo(Number(run, "total_energy_j")).Within(1e-6).Percent);
        Verify();
    }

    /// <summary>Bounds of goodput are no part of what a run is: those of the last start judge all of it.</summary>
    [Test]
    public void WithoutANameTheSameCommandContinuesToo()
    {
        using (var process = HarnessProcess.Start(_scratch.Path, Run("--slo", "ttft=1ns")))
        {
            WaitForBatches(() => Directory.Exists(_scratch["out"]) ? Directory.GetDirectories(_scratch["out"]).FirstOrDefault()
                : null, 2, process);
            process.Signal("KILL");
            process.Wait();
        }
        var result = HarnessProcess.Run(_scratch.Path, Run("--slo", "latency=60min"));
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(result.Error, Does.Contain("continues out/").And.Contain("--fresh begins anew"));
        var run = RunOutput.Only(_scratch["out"]);
        Assert.That(run.Prompts, Has.Count.EqualTo(2 * Prompts));
        Assert.That((run.Summary["slo"], run.Summary["good_requests"]), Is.EqualTo(("latency=3600s", $"{2 * Prompts}")));
        Assert.That(Number(run, "itl_mean_s") * (Number(run, "total_output_tokens") - Number(run, "completed")),
            Is.EqualTo(run.Prompts.Sum(row => double.Parse(row["latency_s"]) - double.Parse(row["ttft_s"]))).Within(1e-6).Percent,
            "the gaps of both starts");
    }

    [TestCase("--fresh")]
    [TestCase("--top-k=7")]
    [LongTestCase("--limit=95")]
    public void AFreshOrAnotherRunBeginsBesideWhatWasCutOff(string difference)
    {
        CutOff("KILL", 2);
        var before = File.ReadAllBytes(_scratch["out", "run", "prompts.partial.csv"]);
        var result = HarnessProcess.Run(_scratch.Path, Run("--name", "run", difference));
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        Assert.That(new RunOutput(_scratch["out", "run-2"]).Summary["status"], Is.EqualTo("complete"));
        Assert.That(result.Error, difference == "--fresh" ? Does.Not.Contain("is taken")
            : Does.Contain("run is taken: it has another configuration; this run is out/run-2"));
        Assert.That(File.ReadAllBytes(_scratch["out", "run", "prompts.partial.csv"]), Is.EqualTo(before));
    }

    [Test]
    public void ARunThatGoesOnIsNotTakenFromItsProcess()
    {
        using var first = HarnessProcess.Start(_scratch.Path, Run("--name", "run", "--Repeats:Count=1000"));
        WaitForBatches(() => _scratch["out", "run"], 1, first);
        var second = HarnessProcess.Run(_scratch.Path, Run("--name", "run", "--Repeats:Count=1000", "--Output:IfTaken=refuse"));
        Assert.That(second.ExitCode, Is.EqualTo(4), second.Error);
        Assert.That(second.Error, Does.Contain("run is taken: process "));
        Assert.That(Directory.GetDirectories(_scratch["out"]), Has.Length.EqualTo(1));

        var third = HarnessProcess.Run(_scratch.Path, Run("--name", "run", "--limit", "4"));
        Assert.That(third.Output, Does.Contain("files: out/run-2"), "without being told to refuse it goes beside it");
    }

    [Test]
    public void ACompleteRunIsRefusedToo()
    {
        Finish();
        var again = HarnessProcess.Run(_scratch.Path, Run("--name", "run", "--Output:IfTaken=refuse"));
        Assert.That((again.ExitCode, again.Error.Trim()), Is.EqualTo((4, "run is taken: it is complete")));
    }

    [Test]
    public void AJournalThatEndsInMidEntryGivesItsWholeEntries()
    {
        CutOff("KILL", 3);
        var journal = _scratch["out", "run", "journal.partial.bin"];
        var bytes = File.ReadAllBytes(journal);
        File.WriteAllBytes(journal, bytes[..^7]);
        Finish();
        Assert.That(new RunOutput(_scratch["out", "run"]).Prompts, Has.Count.EqualTo(2 * Prompts));
        Verify();
    }

    /// <summary>
    /// A machine that goes down loses what its storage had not written yet: here most of a repeat that was recorded as finished.
    /// </summary>
    [TestCase("KILL")]
    [LongTestCase("USR1")]
    public void WhatAJournalHasLostIsDoneAgain(string signal)
    {
        CutOff(signal, Prompts / Batch + 3);
        var journal = _scratch["out", "run", "journal.partial.bin"];
        File.WriteAllBytes(journal, File.ReadAllBytes(journal)[..(int)(new FileInfo(journal).Length / 2)]);
        Finish();
        var run = new RunOutput(_scratch["out", "run"]);
        Assert.That(run.OutputIds(), Has.Count.EqualTo(2 * Prompts), "every prompt of every repeat");
        Assert.That(run.Prompts, Has.Count.EqualTo(2 * Prompts));
        Assert.That(Number(run, "total_energy_j"), Is.EqualTo(Watts * Number(run, "duration_s")).Within(5).Percent);
        Assert.That(TornSeconds(run), Is.GreaterThan(0), "what was lost has cost joules that are nobody's");
        Verify();
    }

    private void CutOff(string signal, int batches, params string[] switches)
    {
        using var process = HarnessProcess.Start(_scratch.Path, Run(["--name", "run", .. switches]));
        WaitForBatches(() => _scratch["out", "run"], batches, process);
        process.Signal(signal);
        process.Wait();
    }

    private void Finish(params string[] switches)
    {
        var result = HarnessProcess.Run(_scratch.Path, Run(["--name", "run", .. switches]));
        Assert.That(result.ExitCode, Is.Zero, result.Error);
    }

    private void Verify() => new RunOutput(_scratch["out", "run"]).Verify();

    private static double Number(RunOutput run, string column) => double.Parse(run.Summary[column]);

    private static double TornSeconds(RunOutput run) => Directory.GetFiles(run.Path, RunFile.Windows.Name, SearchOption.AllDirectories)
        .SelectMany(File.ReadLines).Select(line => JsonNode.Parse(line)!["window"]!)
        .Where(window => (string?)window["kind"] == "torn").Sum(window => (double)window["end_s"]! - (double)window["start_s"]!);

    /// <summary>Until the latest start has finished so many batches.</summary>
    private static void WaitForBatches(Func<string?> directory, int batches, HarnessProcess process)
    {
        for (var limit = Stopwatch.StartNew(); ; Thread.Sleep(10))
        {
            if (process.HasExited || limit.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"no batches came: {process.Wait()}");
            if (directory() is not { } run || !Directory.Exists(run)) continue;
            // This process's own start is the newest; its lease names it.
            var latest = Directory.GetDirectories(run, "piece-*").OrderBy(path => int.Parse(path.Split('-')[^1])).Prepend(run).Last();
            if (!File.Exists(Path.Combine(latest, "alive.json")) || !IsOf(process, latest)) continue;
            if (Batches(Path.Combine(latest, "journal.partial.bin")) >= batches) return;
        }
    }

    private static bool IsOf(HarnessProcess process, string start)
    {
        try { return (int?)JsonNode.Parse(File.ReadAllText(Path.Combine(start, "alive.json")))!["process"] == process.Id; }
        catch (System.Text.Json.JsonException) { return false; }
    }

    /// <summary>
    /// Entries whose kind, the byte behind length and checksum, is that of a batch: checksums would cost the run the time that it needs.
    /// </summary>
    private static int Batches(string journal)
    {
        const int BatchKind = 3, ChecksumBytes = 4;
        if (!File.Exists(journal)) return 0;
        using var file = new FileStream(journal, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new BinaryReader(file);
        var count = 0;
        while (file.Length - file.Position > sizeof(int) + ChecksumBytes)
        {
            var end = reader.ReadInt32() + file.Position;
            if (end > file.Length) break;
            file.Position += ChecksumBytes;
            if (reader.ReadByte() == BatchKind) count++;
            file.Position = end;
        }
        return count;
    }
}
