using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Harness.Runs.Pieces;
using Harness.Tests.Energy;

namespace Harness.Tests.EndToEnd;

/// <summary>Replicas that are not equally fast: of every pair of batches one has long answers and one short ones.</summary>
[Parallelizable(ParallelScope.All), FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class ReplicaTests : IDisposable
{
    private const int Batch = 8;

    /// <summary>In the environment of a test's ranks: its directory, by which they are found.</summary>
    private const string RunVariable = "TEST_OF_REPLICAS";

    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <param name="pairs">Of batches.</param>
    /// <param name="slow">The replica whose answers are long.</param>
    private string[] Run(int pairs, int slow, params string[] switches)
    {
        var replicas = Enumerable.Range(0, 2 * pairs * Batch).Select(prompt => prompt / Batch % 2);
        var lines = replicas.Select(replica => string.Join(' ', Enumerable.Repeat("seven", replica == slow ? 400 : 8)))
            .Select(answer => $$"""{"prompt": "say", "answer": "{{answer}}"}""");
        _scratch.File("p.jsonl", string.Join('\n', lines) + "\n");
        return ["run", "--data", _scratch["p.jsonl"], "--lengths", "reference", "--max-new-tokens", "400", "--batch", $"{Batch}",
            "--dp", "2", "--out", _scratch["out"], "--name", "r", "--idle-baseline", "100ms", .. switches];
    }

    /// <summary>Whatever rank 0 is doing: a kill must not cost what others had finished.</summary>
    [Test]
    public void WhatAnotherReplicaFinishesIsStoredWhileRank0IsStillAtWork()
    {
        var result = HarnessProcess.Run(_scratch.Path, Run(1, slow: 0, "--meter", "none"));
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var order = new RunOutput(_scratch["out", "r"]).Prompts.Select(row => int.Parse(row["batch_index"], CultureInfo.InvariantCulture))
            .Distinct();
        Assert.That(order, Is.EqualTo(new[] { 1, 0 }), "as they were stored");
    }

    /// <summary>Each replica has a GPU of its own: what it had begun and is to do again lies behind the cut of that GPU.</summary>
    [TestCase("USR1", 0)]
    [LongTestCase("USR1", 1)]
    [LongTestCase("KILL", 0)]
    [TestCase("KILL", 1)]
    public void NoJouleOfWorkThatIsDoneAgainIsLeftInAMeasuredWindow(string signal, int slow)
    {
        using var fake = new FakeNvml("device 0 uuid GPU-0", "device 0 curve constant 200", "device 0 update 0.02",
            "device 1 uuid GPU-1", "device 1 curve constant 300", "device 1 update 0.02");
        var switches = Run(12, slow, "--meter", "nvml");
        using (var process = Harness(fake, switches))
        {
            WaitForRows(process, 4 * Batch);
            process.Signal(signal);
            process.Wait();
        }
        if (signal == "USR1") Check(new(_scratch["out", "r"]));
        var rest = Harness(fake, switches).Wait();
        Assert.That(rest.ExitCode, Is.Zero, rest.Error);
        var run = new RunOutput(_scratch["out", "r"]);
        Assert.That(run.Prompts.Select(row => Number(row["prompt_index"])).Order(), Is.EqualTo(Enumerable.Range(0, 24 * Batch)));
        Check(run);
    }

    /// <summary>The sums of the run, and the steps of its first piece.</summary>
    private static void Check(RunOutput run)
    {
        var (energies, rest) = (run.Prompts.Sum(row => Number(row["energy_j"])), Number(run.Summary["unattributed_energy_j"]));
        Assert.That(energies + rest, Is.EqualTo(Number(run.Summary["total_energy_j"])).Within(1e-6).Percent);
        run.Verify();

        var measured = File.ReadLines(run["windows.jsonl"]).Select(line => JsonNode.Parse(line)!["window"]!)
            .Single(window => (string?)window["window"] == "measured-1");
        for (var replica = 0; replica < 2; replica++)
        {
            var steps = run.Steps().Where(step => (int)step["replica"]! == replica).ToList();
            var cut = measured["device_cuts_s"]?.AsObject().Where(one => one.Key.EndsWith($"/GPU-{replica}", StringComparison.Ordinal));
            var end = cut?.Select(one => (double?)one.Value).SingleOrDefault() ?? (double)measured["end_s"]!;
            var lost = steps.Where(step => step["rows"]!.AsArray().All(row => row == null)).ToList();
            Assert.That(lost.Select(step => (double)step["start_s"]!), Is.All.GreaterThanOrEqualTo(end), $"given up by replica {replica}");
            Assert.That(steps.Except(lost).Select(step => (double)step["end_s"]!), Is.All.LessThanOrEqualTo(end), "finished by it");
        }
    }

    /// <summary>A replica that has done its part waits for the others, for longer than the watchdog would take for death.</summary>
    [TestCase("mpiexec.mpich", 0)]
    [TestCase("mpiexec.mpich", 1)]
    [TestCase("mpiexec.openmpi", 1)]
    public void AReplicaThatWaitsForALivingOneIsNoDeadOne(string launcher, int slow)
    {
        using var run = Mpi(launcher, Run(6, slow, "--meter", "none", "--Sharding:StallLimit=3s"));
        Assert.That(End(run), Is.Zero);
        Assert.That(new RunOutput(_scratch["out", "r"]).Prompts, Has.Count.EqualTo(12 * Batch));
    }

    /// <summary>Stopped, rank 1 cannot speak any more: while the model is loaded, while it warms up, and while it generates.</summary>
    [TestCase("mpiexec.mpich", "load", "--warmup", "1000000")]
    [TestCase("mpiexec.openmpi", "load", "--warmup", "1000000")]
    [TestCase("mpiexec.mpich", "warmup", "--repeats", "1000000")]
    public void ARankThatHangsEndsTheJobInEveryStage(string launcher, string after, params string[] switches)
    {
        var error = "";
        var arguments = Run(6, 0, ["--meter", "none", "--Sharding:StallLimit=3s", .. switches]);
        using var run = Mpi(launcher, arguments, line => error += line + "\n");
        WaitFor(run, () => StartJournal.Read(_scratch["out", "r"]).Windows.Any(window => window.Window.Name == after));
        Processes.Run("kill", ["-STOP", Rank(1)]);
        Assert.That(End(run), Is.Not.Zero);
        Assert.That(error, Does.Contain("rank 0: no progress for"));
    }

    private string Read(string file)
    {
        var path = _scratch["out", "r", file];
        if (!File.Exists(path)) return "";
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd();
    }

    private HarnessProcess Harness(FakeNvml fake, string[] arguments) =>
        HarnessProcess.Start(_scratch.Path, arguments, ("HARNESS_NVML_LIBRARY", fake.Library));

    private void WaitForRows(HarnessProcess process, int rows)
    {
        for (var waited = Stopwatch.StartNew(); Read("prompts.partial.csv").Count(c => c == '\n') <= rows; Thread.Sleep(10))
            if (process.HasExited || waited.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"no rows came: {process.Wait()}");
    }

    private static void WaitFor(Process process, Func<bool> condition)
    {
        for (var waited = Stopwatch.StartNew(); !condition(); Thread.Sleep(20))
            if (process.HasExited || waited.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail("it did not come that far");
    }

    private Process Mpi(string launcher, string[] arguments, Action<string?>? error = null)
    {
        if (Environment.GetEnvironmentVariable("PATH")?.Split(':').Any(directory => File.Exists(Path.Combine(directory, launcher))) != true)
            Assert.Ignore($"{launcher} is not installed: not run (Debian: apt-get install openmpi-bin mpich)");
        string[] options = launcher == "mpiexec.openmpi" ? ["--oversubscribe", "--bind-to", "none"] : [];
        var program = Path.Combine(AppContext.BaseDirectory, "harness.dll");
        var start = Processes.Start(launcher, [.. options, "-n", "2", "dotnet", program, .. arguments],
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), ("TERM", "dumb"), (RunVariable, _scratch.Path));
        string[] foreign = ["PMI_", "PMIX_", "HYDI_", "SLURM_", "MPI_"];
        foreach (var name in start.Environment.Keys.Where(name => foreign.Any(name.StartsWith)).ToArray()) start.Environment.Remove(name);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) =>
        {
            TestContext.Progress.WriteLine(line.Data);
            error?.Invoke(line.Data);
        };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static int End(Process process)
    {
        if (process.WaitForExit(TimeSpan.FromMinutes(4)))
        {
            process.WaitForExit();
            return process.ExitCode;
        }
        process.Kill(entireProcessTree: true);
        Assert.Fail("it did not end");
        return -1;
    }

    /// <summary>The process id of a rank of this test's run.</summary>
    private string Rank(int rank)
    {
        string[] ranks = [$"PMI_RANK={rank}", $"OMPI_COMM_WORLD_RANK={rank}"];
        foreach (var directory in Directory.GetDirectories("/proc").Where(path => char.IsAsciiDigit(Path.GetFileName(path)[0])))
        {
            try
            {
                var environment = File.ReadAllText(Path.Combine(directory, "environ")).Split('\0');
                if (environment.Contains($"{RunVariable}={_scratch.Path}") && environment.Intersect(ranks).Any())
                    return Path.GetFileName(directory);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException) { }
        }
        throw new InvalidOperationException($"rank {rank} does not run");
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
