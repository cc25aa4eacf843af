using System.Diagnostics;
using System.Globalization;

namespace Harness.Tests.EndToEnd;

/// <summary><c>harness sweep</c> as people start it, kill it and start it again.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SweepTests
{
    private const int Prompts = 8;

    private static readonly int[] s_tensor = [1, 2], s_batches = [1, 4], s_lengths = [8, 16];

    /// <summary>8 cells of the demo model, each a second or less.</summary>
    private static readonly string s_grid = $$"""
        { "Sharding": { "Tensor": [{{string.Join(", ", s_tensor)}}] }, "Runtime": { "Threads": 1 }, "Dataset": { "Limit": {{Prompts}} }, "Batch": { "Size": [{{string.Join(", ", s_batches)}}] },
          "Generation": { "MaxNewTokens": [{{string.Join(", ", s_lengths)}}] }, "Energy": { "Meter": "none" }, "Repeats": { "Warmup": 0 }, "Output": { "Directory": "out" } }
        """;

    private static readonly string[] s_command = ["sweep", "--config", "grid.json"];

    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin()
    {
        _scratch = new();
        _scratch.File("grid.json", s_grid);
    }

    [TearDown]
    public void End() => _scratch.Dispose();

    private HarnessResult Sweep(params string[] more) => HarnessProcess.Run(_scratch.Path, [.. s_command, .. more]);

    private IEnumerable<string> Cells =>
        from tensor in s_tensor from batch in s_batches from length in s_lengths select $"tp{tensor}-b{batch}-new{length}";

    private IEnumerable<string> Directories => Directory.Exists(_scratch["out"])
        ? Directory.GetDirectories(_scratch["out"]).Select(path => Path.GetFileName(path)).Where(name => name[0] != '.') : [];

    /// <summary>
    /// Killed twice, sweep and running cell together, at moments drawn from the seed but not before a cell is done; then left to finish.
    /// </summary>
    [LongTestCase(1)]
    [TestCase(2)]
    [LongTestCase(3)]
    public void KilledTwiceAGridFinishesWithEveryCellOnce(int seed)
    {
        var random = new Random(seed);
        for (var kill = 0; kill < 2; kill++)
        {
            var (begun, delay) = (Directories.Count() + (kill == 0 ? 2 : 1) + random.Next(2), random.Next(800));
            using var process = HarnessProcess.Start(_scratch.Path, s_command);        // disposing kills its tree
            WaitUntil(process, () => Directories.Count() >= begun);
            Thread.Sleep(delay);
            Assert.That(process.HasExited, Is.False, "it was killed under way");
        }
        var result = Sweep();
        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        Assert.That(result.Output, Does.Match(@"(?m)^8 cells: \d+ complete, \d+ skipped$"));
        EveryCellIsThereOnce();

        var again = Sweep();
        Assert.That((again.ExitCode, again.Output.Split('\n')[^2]), Is.EqualTo((0, "8 cells: 8 skipped")));
    }

    /// <summary>They share the work, or one of them does it; either way each cell is there once, and whole.</summary>
    [Test]
    public void TwoSweepsAtOnceLoseNothing()
    {
        using var first = HarnessProcess.Start(_scratch.Path, s_command);
        using var second = HarnessProcess.Start(_scratch.Path, s_command);
        var results = new[] { first.Wait(), second.Wait() };
        Assert.That(results.Select(result => result.ExitCode), Has.All.AnyOf(0, 4), results[0].Output + results[0].Error
            + results[1].Output + results[1].Error);
        Assert.That(Directories, Is.EquivalentTo(Cells), "none twice");
        EveryCellIsThereOnce();
        var complete = results.Sum(result =>
            int.Parse(System.Text.RegularExpressions.Regex.Match(result.Output,
            @"(?m)^8 cells: (\d+) complete").Groups[1].Value is { Length: > 0 } count ? count : "0", CultureInfo.InvariantCulture));
        Assert.That(complete, Is.EqualTo(8), "no work was done twice");
    }

    [Test]
    public void ACellThatFailsDoesNotEndTheSweep()
    {
        _scratch.File("a.jsonl", "{\"prompt\": \"a\"}\n");
        _scratch.File("c.jsonl", "{\"prompt\": \"c\"}\n");
        _scratch.File("grid.json", """{ "Dataset": { "Path": ["a.jsonl", "b.jsonl", "c.jsonl"] }, "Generation": { "MaxNewTokens": 4 }, "Energy": { "Meter": "none" }, "Output": { "Directory": "out" } }""");
        var failed = Sweep();
        Assert.That(failed.ExitCode, Is.EqualTo(1), failed.Error);
        Assert.That(failed.Error, Does.Contain("there is no dataset at b.jsonl"), "the cell has said it itself");
        Assert.That(failed.Output,
            Does.Contain("sweep: cell 2 of 3, b: failed: exit code 1; it said why above\n").And.EndWith("3 cells: 2 complete, 1 failed\n"));

        _scratch.File("b.jsonl", "{\"prompt\": \"b\"}\n");
        var mended = Sweep();
        Assert.That((mended.ExitCode, mended.Output.Split('\n')[^2]), Is.EqualTo((0, "3 cells: 1 complete, 2 skipped")), mended.Error);
        Assert.That(Directories, Is.EquivalentTo(new[] { "a", "b", "c" }));
    }

    [Test]
    public void ACellThatIsKilledDoesNotEndTheSweep()
    {
        _scratch.File("grid.json", """{ "Repeats": { "Count": [100000, 1] }, "Dataset": { "Limit": 8 }, "Energy": { "Meter": "none" }, "Output": { "Directory": "out" } }""");
        using var process = HarnessProcess.Start(_scratch.Path, s_command);
        WaitUntil(process, () => File.Exists(_scratch["out", "count100000", "prompts.partial.csv"]));
        Process.GetProcessById(process.Children.Single()).Kill();
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.EqualTo(1), result.Error);
        Assert.That(result.Output,
            Does.Contain("count100000: failed: ended by signal 9 (out of memory, or killed)\n").And.EndWith(
            "2 cells: 1 complete, 1 failed\n"));
        Assert.That(Sweep("--dry-run").Output, Does.EndWith("2 cells: 2 fit, 0 dropped; 1 unfinished, 1 done\n"));
    }

    [Test]
    public void AnInvalidCellIsRunAgainBesideTheFirst()
    {
        _scratch.File("grid.json", s_grid.Replace("[1, 4]", "[4]", StringComparison.Ordinal)
            .Replace("[8, 16]", "8", StringComparison.Ordinal));
        Assert.That(Sweep().ExitCode, Is.Zero);
        Assert.That(Directories, Is.EquivalentTo(new[] { "tp1-b4", "tp2-b4" }));
        var summary = _scratch["out", "tp1-b4", "summary.csv"];
        File.WriteAllText(summary, File.ReadAllText(summary).Replace("no_meter", "throttled", StringComparison.Ordinal));
        var before = Directory.GetFiles(_scratch["out", "tp1-b4"]).ToDictionary(path => path, File.ReadAllText);

        var table = Sweep("--dry-run");
        Assert.That(table.Output, Does.Match("tp1-b4 .* invalid: throttled").And.EndWith("2 cells: 2 fit, 0 dropped; 1 invalid, 1 done\n"));
        var next = Sweep("--next");
        Assert.That(next.Output, Is.EqualTo("tp1-b4-2\n"));
        var again = Sweep();
        Assert.That((again.ExitCode, again.Output.Split('\n')[^2]), Is.EqualTo((0, "2 cells: 1 complete, 1 skipped")), again.Error);
        Assert.That(Directories, Is.EquivalentTo(new[] { "tp1-b4", "tp1-b4-2", "tp2-b4" }));
        foreach (var (path, content) in before) Assert.That(File.ReadAllText(path), Is.EqualTo(content), "the first run stays as it was");
    }

    [Test]
    public void AnotherStudyUnderTheSameNamesIsNotMixedIn()
    {
        _scratch.File("grid.json", s_grid.Replace("[1, 4]", "[4]", StringComparison.Ordinal)
            .Replace("[8, 16]", "8", StringComparison.Ordinal).Replace("[1, 2]", "[1]", StringComparison.Ordinal));
        Assert.That(Sweep().ExitCode, Is.Zero);
        var other = Sweep("--limit", "3");
        Assert.That((other.ExitCode, other.Error),
            Is.EqualTo((1, "harness: out/tp1-b4 holds a run of another configuration: Dataset:Limit (--limit) is '8' there and '3' here; "
            + "give this sweep a directory (--out) or a name (--name) of its own\n")));
        Assert.That(Sweep("--limit", "3", "--name", "short").ExitCode, Is.Zero);
        Assert.That(Directories, Is.EquivalentTo(new[] { "tp1-b4", "short-tp1-b4" }));
    }

    /// <summary>The sweep alone is told; the terminal's Ctrl-C tells the child as well.</summary>
    [TestCase("TERM", "SIGTERM", false)]
    [TestCase("USR1", "SIGUSR1", false)]
    [TestCase("INT", "Ctrl-C", true)]
    public void ASignalEndsTheCellInOrderAndTheSweepAfterIt(string signal, string named, bool both)
    {
        _scratch.File("grid.json", """{ "Batch": { "Size": [4, 8] }, "Energy": { "Meter": "none" }, "Repeats": { "Count": 100000 }, "Output": { "Directory": "out" } }""");
        using var process = HarnessProcess.Start(_scratch.Path, s_command);
        var rows = _scratch["out", "b4", "prompts.partial.csv"];
        WaitUntil(process, () => File.Exists(rows) && new FileInfo(rows).Length > 1000);
        process.Signal(signal, both);
        var result = process.Wait();
        Assert.Multiple(() =>
        {
            Assert.That(result.ExitCode, Is.EqualTo(3), result.Output + result.Error);
            Assert.That(result.Output, Does.EndWith($"2 cells: 2 stopped\nstopped by {named}; the same command goes on\n"));
            Assert.That(result.Error, Does.Contain("finished batches are kept"), "the child ended in order");
            Assert.That(new RunOutput(_scratch["out", "b4"]).Summary["status"], Is.EqualTo("interrupted"));
            Assert.That(Directories, Is.EquivalentTo(new[] { "b4" }), "no other was begun");
        });
    }

    [TestCase("mpiexec.openmpi", "--oversubscribe --bind-to none")]
    [TestCase("mpiexec.mpich", "")]
    public void ALauncherStartsTheRanksOfEachCell(string launcher, string options)
    {
        if (Environment.GetEnvironmentVariable("PATH")?.Split(':').Any(directory => File.Exists(Path.Combine(directory, launcher))) != true)
            Assert.Ignore($"{launcher} is not installed: not run (Debian: apt-get install openmpi-bin mpich)");
        _scratch.File("grid.json", s_grid.Replace("[1, 4]", "4", StringComparison.Ordinal).Replace("[8, 16]", "8", StringComparison.Ordinal)
            .Replace("[1, 2]", "[2, 4]", StringComparison.Ordinal));
        using var process = HarnessProcess.Start(_scratch.Path,
            [.. s_command, "--communicator", "mpi", "--launcher", $"{launcher} {options} -n {{ranks}}"],
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), ("OMPI_MCA_mpi_yield_when_idle", "1"),
                ("UCX_ERROR_SIGNALS", ""));
        var result = process.Wait();
        Assert.That(result.ExitCode, Is.Zero, result.Output + result.Error);
        foreach (var ranks in new[] { 2, 4 })
        {
            var run = new RunOutput(_scratch["out", $"tp{ranks}"]);
            Assert.That(run.Summary["ranks"], Is.EqualTo($"{ranks}"));
        }
    }

    /// <summary>
    /// Of each cell one complete run, whose prompts are all there and answered as a run of one prompt at a time answers them.
    /// </summary>
    private void EveryCellIsThereOnce()
    {
        var expected = HarnessProcess.Run(_scratch.Path, "run", "--limit", $"{Prompts}", "--batch", "1", "--max-new-tokens",
            $"{s_lengths.Max()}", "--meter", "none", "--warmup", "0", "--out", "expected", "--name", "solo");
        Assert.That(expected.ExitCode, Is.Zero, expected.Error);
        var answers = new RunOutput(_scratch["expected", "solo"]).OutputIds();
        Assert.That(Directories.Select(name => Cells.Single(cell => name == cell || name.StartsWith(cell + "-", StringComparison.Ordinal)))
            .Distinct(), Is.EquivalentTo(Cells));
        foreach (var cell in Cells)
        {
            var runs = Complete(cell);
            Assert.That(runs, Has.Count.EqualTo(1), $"{cell}: complete once");
            IsWhole(runs[0], cell);
            var length = int.Parse(cell[(cell.LastIndexOf("new", StringComparison.Ordinal) + 3)..], CultureInfo.InvariantCulture);
            foreach (var (prompt, ids) in runs[0].OutputIds())
                Assert.That(ids, Is.EqualTo(answers[prompt].Take(length)), $"{cell} {prompt}");
        }
    }

    private List<RunOutput> Complete(string cell) =>
        [.. Directories.Where(name => name == cell || name.StartsWith(cell + "-", StringComparison.Ordinal))
            .Select(name => new RunOutput(_scratch["out", name]))
            .Where(run => File.Exists(run["summary.csv"]) && run.Summary["status"] == "complete")];

    private static void IsWhole(RunOutput run, string name)
    {
        Assert.That(run.Prompts.Select(row => (row["repeat"], row["prompt_index"])),
            Is.EquivalentTo(Enumerable.Range(0, Prompts).Select(prompt => ("1", $"{prompt}"))), name);
        Assert.That(run.Prompts.Select(row => row["run_id"]).Distinct().Count(), Is.EqualTo(1), name);
        Assert.That(run.OutputIds(), Has.Count.EqualTo(Prompts), name);
    }

    private static void WaitUntil(HarnessProcess process, Func<bool> reached)
    {
        for (var limit = Stopwatch.StartNew(); !reached(); Thread.Sleep(20))
            if (process.HasExited || limit.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"nothing came of it: {process.Wait()}");
    }
}
