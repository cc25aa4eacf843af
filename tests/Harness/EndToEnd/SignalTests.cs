using System.Diagnostics;
using System.Globalization;

namespace Harness.Tests.EndToEnd;

/// <summary>A run that is told to end keeps its finished batches, says so, and exits with 3.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SignalTests
{
    private const int Batch = 4;

    [TestCase("INT", "Ctrl-C", 1, 1, 1)]
    [TestCase("TERM", "SIGTERM", 1, 1, 1)]
    [TestCase("USR1", "SIGUSR1", 2, 1, 1)]
    [TestCase("TERM", "SIGTERM", 2, 2, 2)]
    public void ASignalKeepsFinishedBatches(string signal, string named, int tensor, int pipeline, int data)
    {
        using var scratch = new ScratchDirectory();
        using var process = HarnessProcess.Start(scratch.Path,
            ["run", "--model", Models.Llama.Stories.Directory, "--data", SharedData.Path("data", "gsm8k", "test.jsonl"),
            "--batch", $"{Batch}", "--max-new-tokens", "64", "--meter", "none", "--out", "out", "--name", "run", "--tp", $"{tensor}",
                "--pp", $"{pipeline}", "--dp", $"{data}"]);
        WaitForRows(process, scratch["out", "run", "prompts.partial.csv"]);
        process.Signal(signal);
        var result = process.Wait();

        var run = new RunOutput(scratch["out", "run"]);
        var batches = run.Prompts.Where(row => row["finish_reason"] != "context_length").GroupBy(row => row["batch_index"]).ToList();
        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.EqualTo(3), result.Error);
            Assert.That(result.Error, Does.Contain($"stopped by {named}; finished batches are kept"));
            Assert.That(run.Summary["status"], Is.EqualTo("interrupted"));
            Assert.That(run.Summary["invalid_reasons"], Does.Contain("no_meter"));
            Assert.That(batches, Is.Not.Empty);
            Assert.That(batches.Select(batch => batch.Count()), Is.All.EqualTo(Batch), "whole batches");
            Assert.That(batches.Count * Batch, Is.LessThan(1319));
            Assert.That(int.Parse(run.Summary["completed"], CultureInfo.InvariantCulture), Is.EqualTo(batches.Count * Batch));
            Assert.That(run.Responses, Has.Count.EqualTo(run.Prompts.Count));
            Assert.That(run.Files, Has.None.Contains("prompts.partial").And.None.Contains("responses.partial").And.None.Contains(".tmp"));
        });
    }

    [Test]
    public void AKilledRunLeavesWhatItHadFinishedAndCollectMarksIt()
    {
        using var scratch = new ScratchDirectory();
        using (var process =
            HarnessProcess.Start(scratch.Path,
            ["run", "--model", Models.Llama.Stories.Directory, "--data", SharedData.Path("data", "gsm8k", "test.jsonl"),
            "--batch", $"{Batch}", "--max-new-tokens", "64", "--meter", "none", "--out", "out", "--name", "run"]))
        {
            WaitForRows(process, scratch["out", "run", "prompts.partial.csv"]);
            process.Signal("KILL");
            process.Wait();
        }
        Assert.That(File.Exists(scratch["out", "run", "summary.csv"]), Is.False);
        var collected = HarnessProcess.Run(scratch.Path, "collect", "out", "--out", "all.csv");
        Assert.That(collected.ExitCode, Is.Zero, collected.Error);
        var header = File.ReadLines(scratch["all.csv"]).First().Split(',').ToList();
        var row = File.ReadLines(scratch["all.csv"]).Skip(1).Single().Split(',');
        Assert.That(row[header.IndexOf("status")], Is.EqualTo("incomplete"));
    }

    /// <summary>
    /// Files that are deleted take what is written to them without a word: the next batch notices, and nobody is told that anything was
    /// kept.
    /// </summary>
    [Test]
    public void ARunWhoseDirectoryIsDeletedEndsAtOnceAndSaysSo()
    {
        using var scratch = new ScratchDirectory();
        using var process = HarnessProcess.Start(scratch.Path,
            ["run", "--meter", "none", "--out", "out", "--name", "run", "--batch", $"{Batch}", "--repeats", "1000000"]);
        WaitForRows(process, scratch["out", "run", "prompts.partial.csv"]);
        Directory.Move(scratch["out", "run"], scratch["elsewhere"]);
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.EqualTo(1), result.Error);
        Assert.That(result.Error, Does.Contain("has been deleted or moved away").And.Not.Contain("kept"));
        Assert.That(Directory.Exists(scratch["out", "run"]), Is.False);
    }

    /// <summary>Until two batches have been stored.</summary>
    private static void WaitForRows(HarnessProcess process, string file)
    {
        var limit = Stopwatch.StartNew();
        while (!File.Exists(file) || ReadLines(file) < 1 + 2 * Batch)
        {
            if (process.HasExited || limit.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"no rows came: {process.Wait()}");
            Thread.Sleep(20);
        }
    }

    private static int ReadLines(string file)
    {
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd().Count(c => c == '\n');
    }
}
