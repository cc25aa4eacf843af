using System.Diagnostics;
using System.Globalization;
using Harness.Common;
using Harness.Configuration;
using Harness.Running;
using Harness.Runs;
using Harness.Runs.Verifying;
using Harness.Tests.EndToEnd;
using Harness.Tests.Runs;

namespace Harness.Tests.Running;

/// <summary>
/// A killed run of which one file is cut at every kind of length, as a machine that went down leaves it, and which is then continued in
/// this process: it ends as the run that was never cut, or says in one line what is wrong.
/// </summary>
[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class CutJournalTests
{
    private const double Watts = 80;
    private const int Prompts = 24, Batch = 4, Repeats = 2, Tokens = 60;

    private readonly ScratchDirectory _scratch = new();
    private readonly StopSignal _stop = new();
    private Dictionary<(int Repeat, int Prompt), int[]> _expected = [];

    private string Killed => _scratch["killed", "run"];

    private Dictionary<string, string?> Settings(string output) => new()
    {
        ["Dataset:Limit"] = $"{Prompts}",
        ["Batch:Size"] = $"{Batch}",
        ["Repeats:Count"] = $"{Repeats}",
        ["Repeats:Warmup"] = "0",
        ["Generation:MaxNewTokens"] = $"{Tokens}",
        ["Generation:IgnoreEos"] = "true",
        ["Energy:IdleBaseline"] = "50ms",
        ["Energy:Meter"] = $"command:{_scratch["meter.sh"]}",
        ["Output:Directory"] = _scratch[output],
        ["Output:Name"] = "run",
    };

    [OneTimeSetUp]
    public void Kill()
    {
        var meter = _scratch.File("meter.sh",
            $"#!/bin/sh\nwhile kill -0 $PPID 2>/dev/null; do awk '{{ printf \"J %.3f\\n\", $1 * {Watts}; fflush() }}' /proc/uptime; sleep "
            + "0.02; done\n");
        File.SetUnixFileMode(meter, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.That(Continue("whole"), Is.Zero);
        _expected = new RunOutput(_scratch["whole", "run"]).OutputIds();

        using var process = HarnessProcess.Start(_scratch.Path,
            ["run", .. Settings("killed").Select(setting => $"--{setting.Key}={setting.Value}")]);
        var rows = Path.Combine(Killed, "prompts.partial.csv");
        for (var limit = Stopwatch.StartNew(); !(File.Exists(rows) && Lines(rows) > Prompts + 2 * Batch); Thread.Sleep(5))
            if (process.HasExited || limit.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"no batches came: {process.Wait()}");
        process.Signal("KILL");
        process.Wait();
        Assert.That(Directory.GetFiles(Killed).Where(path => RunFileTests.RowOf(path) == null), Is.Empty,
            "files without a row in the table");
    }

    [OneTimeTearDown]
    public void End()
    {
        _stop.Dispose();
        _scratch.Dispose();
    }

    /// <param name="cuts">Lengths, as many as these, spread over the file with its ends and its first line's among them.</param>
    [TestCase("batches.partial.bin", 9)]
    [TestCase("windows.partial.jsonl", 7)]
    [TestCase("energy-rank-000.partial.txt", 9)]
    [TestCase("prompts.partial.csv", 3)]
    [TestCase("responses.partial.jsonl", 3)]
    [TestCase("manifest.json", 3)]
    public void TheContinuationEndsAsTheUncutRunOrSaysWhatIsWrong(string file, int cuts)
    {
        var bytes = File.ReadAllBytes(Path.Combine(Killed, file));
        var firstLine = Array.IndexOf(bytes, (byte)'\n') + 1;
        var lengths = Enumerable.Range(0, cuts).Select(i => (int)((long)bytes.Length * i / (cuts - 1))).Append(firstLine)
            .Append(bytes.Length - 1).Distinct();
        Assert.Multiple(() =>
        {
            foreach (var length in lengths) CheckCut(file, bytes, length);
        });
    }

    private void CheckCut(string file, byte[] bytes, int length)
    {
        var output = string.Create(CultureInfo.InvariantCulture, $"{file}-{length}");
        Directory.CreateDirectory(_scratch[output, "run"]);
        foreach (var path in Directory.GetFiles(Killed)) File.Copy(path, _scratch[output, "run", Path.GetFileName(path)]);
        File.WriteAllBytes(_scratch[output, "run", file], bytes[..length]);
        Assert.That(Continue(output), Is.Zero);

        var run = new RunOutput(Directory.GetDirectories(_scratch[output]).Order(StringComparer.Ordinal).Last());
        var summary = run.Summary;
        Assert.That(summary["status"], Is.EqualTo("complete"), output);
        Assert.That(run.OutputIds(), Is.EqualTo(_expected), $"{output}: every prompt of every repeat once, with the same tokens");
        Assert.That(summary["total_energy_j"], Is.Not.Empty, output);
        if (summary["total_energy_j"].Length == 0) return;
        Assert.That(Number(summary["total_energy_j"]), Is.EqualTo(Watts * Number(summary["duration_s"])).Within(5).Percent, output);
        Assert.That(run.Prompts.Sum(row => Number(row["energy_j"])) + Number(summary["unattributed_energy_j"]),
            Is.EqualTo(Number(summary["total_energy_j"])).Within(1e-6).Percent, output);
        Assert.That(new RunVerification(run.Path).Check(), Is.Empty, output);
    }

    private int Continue(string output)
    {
        var configuration = new ResolvedConfiguration(null, Settings(output));
        return Ranks.Run(configuration.Options.Sharding, threads: 1, new RunJob(configuration, _stop).Execute);
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static int Lines(string path)
    {
        using var text = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return text.ReadToEnd().Count(c => c == '\n');
    }
}
