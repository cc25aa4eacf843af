using System.Globalization;
using Harness.Runs;
using Harness.Runs.Pieces;
using Harness.Runs.Records;
using Harness.Tests.Energy;

namespace Harness.Tests.Slurm;

/// <summary>
/// The shipped job scripts on a real Slurm: several emulated nodes, real srun, both real MPIs, the demo model on the CPU
/// backend. Judged by the files that a run leaves on the shared storage and by the job's exit code.
/// </summary>
[Category("Slurm")]
[Parallelizable]
[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
public class SlurmJobTests
{
    private const int Interrupted = 3;

    /// <summary>Small enough for ranks that share two cores.</summary>
    private static readonly string[] s_small = ["--backend", "cpu", "--meter", "none", "--dtype", "f32", "--threads", "1", "--limit", "4",
        "--batch", "2", "--max-new-tokens", "8", "--warmup", "0"];

    /// <summary>Goes on until it is stopped.</summary>
    private static readonly string[] s_endless = [.. s_small, "--repeats", "1000000"];

    private SlurmCluster _cluster = null!;
    private ScratchDirectory _scratch = null!;

    /// <summary>output_ids of the same prompts from one rank, by prompt.</summary>
    private Dictionary<int, IReadOnlyList<int>> _expected = null!;

    [OneTimeSetUp]
    public void Start()
    {
        _cluster = new SlurmCluster();
        _scratch = new ScratchDirectory();
        var data = new SlurmJob.Request("", 1, 1).Data;
        var (code, output) =
            _cluster.Run(null, SlurmCluster.DotNet,
            [SlurmCluster.Harness, "run", "--data", data, .. s_small, "--out", _scratch.Path, "--name", "solo"]);
        Assert.That(code, Is.Zero, output);
        _expected = Tokens(new RunReader(_scratch["solo"]));
    }

    [OneTimeTearDown]
    public void Stop()
    {
        _cluster?.Dispose();
        _scratch?.Dispose();
    }

    private static IEnumerable<TestCaseData> Launches() =>
        from launch in new[] { "srun", "mpiexec" }
        from mpi in new[] { "openmpi", "mpich" }
        select new TestCaseData(launch, mpi);

    [TestCaseSource(nameof(Launches))]
    public void OneNode(string launch, string mpi)
    {
        var job = Submit(new("one-node.sbatch", 1, 2) { Switches = s_small, Environment = [("LAUNCH", launch), ("MPI", mpi)] });
        IsComplete(job, nodes: 1, tensor: 2, pipeline: 1);
    }

    [TestCaseSource(nameof(Launches))]
    public void ManyNodes(string launch, string mpi)
    {
        var job = Submit(new($"many-nodes-{launch}.sbatch", 2, 2) { Switches = s_small, Environment = [("MPI", mpi)] });
        var run = IsComplete(job, nodes: 2, tensor: 2, pipeline: 2);
        Assert.That(run.Ranks().Where(row => row.Window == "measured-1").Select(row => (row.LocalRank, row.TensorRank, row.Stage)),
            Is.EqualTo(new[] { (0, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1) }), "a tensor group stays inside a node");
    }

    /// <summary>
    /// As in the README: from a directory that holds jobs/ and out/harness, with nothing exported that says where they are.
    /// </summary>
    [Test]
    public void AnArrayRunsACellPerTask()
    {
        var directory = NewDirectory();
        CopyDirectory(Path.Combine(SharedData.RepositoryRoot, "jobs"), Path.Combine(directory, "jobs"));
        var program = Path.Combine(Directory.CreateDirectory(Path.Combine(directory, "out")).FullName, "harness");
        File.WriteAllText(program, $"#!/bin/sh\nexec {SlurmCluster.DotNet} {SlurmCluster.Harness} \"$@\"\n");
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var cells = Path.Combine(directory, "cells.txt");
        File.WriteAllText(cells, "# batch sizes\n--batch 1\n\n--batch 2\n  # the last\n--batch 4\n");
        var switches = s_small.Where((_, i) => i != Array.IndexOf(s_small, "--batch") && i != Array.IndexOf(s_small, "--batch") + 1);
        var job = SlurmJob.Submit(_cluster, directory, new("array.sbatch", 1, 2)
        {
            Options = ["--array=1-4"],
            Switches = [.. switches, "--temperature", "0", "--top-p", "1"],
            Environment = [("HARNESS", ""), ("HARNESS_JOBS", ""), ("CELLS", cells)],
        });
        foreach (var task in (int[])[1, 2, 3]) Assert.That(job.Wait(task), Is.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)), job.Log(task));
        Assert.That(job.Runs.Select(run => (Path.GetFileName(run.Directory), run.Summary().BatchSize)),
            Is.EqualTo(new[] { ($"array-{job.Id}_1", 1), ($"array-{job.Id}_2", 2), ($"array-{job.Id}_3", 4) }));
        foreach (var run in job.Runs) HasTheExpectedTokens(run);

        Assert.That(job.Wait(4), Is.EqualTo(new SlurmJob.End("FAILED", 2, 0)));
        Assert.That(job.Log(4), Does.Contain("has 3 cells and no number 4; submit with --array=1-3"));
    }

    /// <summary>Two jobs at a time, each on two nodes, so that their starts overlap.</summary>
    private static IEnumerable<TestCaseData> PairsOfLaunches() =>
    [
        new TestCaseData(new Launch("srun", "openmpi"), new Launch("mpiexec", "mpich")),
        LongForm.Case(new Launch("srun", "mpich"), new Launch("mpiexec", "openmpi")),
    ];

    /// <summary>USR1 as --signal=B:USR1@120 sends it, when Slurm itself finds that less than two minutes are left.</summary>
    [Test]
    public void AtTheTimeLimitARunEndsInOrder()
    {
        var jobs = Endless(new("srun", "openmpi"), new("mpiexec", "mpich"));
        foreach (var job in jobs) _cluster.Must("scontrol", "update", $"JobId={job.Id}", "TimeLimit=2");
        foreach (var job in jobs) EndedInOrder(job);
    }

    /// <summary>The same signal on request, for the launchers that the time limit did not meet.</summary>
    [Test]
    public void AskedToStopARunEndsInOrder()
    {
        var jobs = Endless(new("srun", "mpich"), new("mpiexec", "openmpi"));
        foreach (var job in jobs) _cluster.Must("scancel", "--batch", "--signal=USR1", job.Id);
        foreach (var job in jobs) EndedInOrder(job);
    }

    /// <summary>
    /// scancel gives the ranks little time: what was finished is on the storage, whether or not the run could close its books.
    /// </summary>
    [TestCaseSource(nameof(PairsOfLaunches))]
    public void ACancelledJobKeepsItsRows(object first, object second)
    {
        var jobs = Endless((Launch)first, (Launch)second);
        foreach (var job in jobs) _cluster.Must("scancel", job.Id);
        foreach (var job in jobs)
        {
            Assert.That(job.Wait().State, Is.EqualTo("CANCELLED"), job.Log());
            var run = job.Runs.Single();
            Assert.That(run.Prompts().ToList(), Is.Not.Empty);
            if (run.IsComplete) Assert.That(run.Summary().Status, Is.EqualTo(RunStatus.Interrupted));
            Assert.That(CollectedStatus(job), Is.EqualTo(run.IsComplete ? RunStatus.Interrupted : RunStatus.Incomplete));
        }
    }

    [TestCaseSource(nameof(PairsOfLaunches))]
    public void ADeadRankEndsTheJob(object first, object second)
    {
        var jobs = Endless((Launch)first, (Launch)second);
        foreach (var job in jobs) KillRankOnItsLastNode(job);
        foreach (var job in jobs)
        {
            var end = job.Wait();
            Assert.That(end, Has.Property("State").EqualTo("FAILED").And.Property("ExitCode").Not.Zero, job.Log());
            Assert.That(job.Log(), Does.Contain($"failed with exit code {end.ExitCode}"));
            Assert.That(CollectedStatus(job), Is.EqualTo(RunStatus.Incomplete));
        }
    }

    [Test]
    public void ARequeuedJobContinuesWhatItLeft()
    {
        var job = Endless(new Launch("srun", "openmpi")).Single();
        var before = job.Runs.Single().Prompts().Count();
        _cluster.Must("scontrol", "requeue", job.Id);
        while (!StartJournal.Batches(RunLayout.DirectoryOf(job.Runs.Single().Directory, 2)).Any()) Thread.Sleep(250);
        _cluster.Must("scancel", "--batch", "--signal=USR1", job.Id);
        Assert.That(job.Wait(), Is.EqualTo(new SlurmJob.End("FAILED", Interrupted, 0)), job.Log());
        var rows = job.Runs.Single().Prompts().ToList();
        Assert.That(rows.Where(row => row.Piece == 1).ToList(), Has.Count.GreaterThanOrEqualTo(before));
        Assert.That(rows.Select(row => row.Piece).Distinct(), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(rows.Select(row => (row.Repeat, row.PromptIndex)), Is.Unique, "no prompt twice");
        Assert.That(job.Log(), Does.Contain("requeued, start 2").And.Contain("continues ").And.Contain("stopped in order"),
            "the log holds both starts");
    }

    /// <summary>Four GPUs of 100 W each, two on a node, as a fake NVML library shows them.</summary>
    [Test]
    public void EachRankHasItsOwnGpuAndEveryGpuCountsOnce()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-A@host", "device 0 curve constant 100", "device 1 uuid GPU-B@host",
            "device 1 curve constant 100");
        var jobs = new[] { "none", "per_task:1" }.Select(bind => Submit(new("many-nodes-srun.sbatch", 2, 2)
        {
            Switches = [.. s_small.Select(word => word == "none" ? "nvml" : word), "--repeats", "2", "--idle-baseline", "1s"],
            Environment = [("GPU_BIND", bind), ("HARNESS_NVML_LIBRARY", OnSharedStorage(fake))],
        })).ToArray();
        foreach (var job in jobs)
        {
            Assert.That(job.Wait(), Is.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)), job.Log());
            var run = job.Runs.Single();
            var ranks = run.Ranks().Where(row => row.Window == "measured-1").ToList();
            Assert.That(ranks.Select(row => row.LocalRank), Is.EqualTo(new[] { 0, 1, 0, 1 }));
            Assert.That(ranks.Select(row => row.Device),
                Is.EqualTo(ranks.Select(row => $"GPU-{"AB"[row.LocalRank]}-{row.Host}")).And.Unique);
            Assert.That(run.Summary().NumGpus, Is.EqualTo(4));
            Assert.That(run.Summary().Energy.AverageWatts, Is.EqualTo(400).Within(5).Percent);
        }
    }

    /// <summary>SIGKILL leaves a rank no time to put its GPU back; the job script does.</summary>
    [Test]
    public void AKilledRanksPowerLimitIsPutBack()
    {
        using var fake = new FakeNvml("device 0 uuid GPU-A", "device 0 limit_mw 300000 300000 100000 300000");
        var library = OnSharedStorage(fake);
        var job = Submit(new("one-node.sbatch", 1, 1)
        {
            Switches = [.. s_endless.Select(word => word == "none" ? "nvml" : word), "--power-limits", "175", "--idle-baseline", "0s"],
            Environment = [("HARNESS_NVML_LIBRARY", library)],
        });
        job.WaitForResults();
        int Limit() => int.Parse(File.ReadAllText(Path.Combine(Path.GetDirectoryName(library)!, "nvml.state-GPU-A")).Split(' ')[0],
            CultureInfo.InvariantCulture);
        Assert.That(Limit(), Is.EqualTo(175_000));
        KillRankOnItsLastNode(job);
        Assert.That(job.Wait().State, Is.EqualTo("FAILED"), job.Log());
        Assert.That(Limit(), Is.EqualTo(300_000), job.Log());
    }

    [Test]
    public void AMistakeIsOneLineAndExitCodeTwo()
    {
        void Refused(string line, params (string, string)[] environment)
        {
            var job = Submit(new("one-node.sbatch", 1, 1) { Switches = s_small, Environment = environment });
            Assert.That(job.Wait(), Is.EqualTo(new SlurmJob.End("FAILED", 2, 0)), job.Log());
            Assert.That(job.Log().Trim().Split('\n'), Has.One.Contains(line), job.Log());
            Assert.That(job.Runs, Is.Empty);
        }
        Refused("lib.sh is neither in ", ("HARNESS_JOBS", ""));
        Refused("HARNESS is '/no/such/harness', but '/no/such/harness' is not an executable on node", ("HARNESS", "/no/such/harness"));
        Refused($"but '/no/harness.dll' does not exist on node", ("HARNESS", $"{SlurmCluster.DotNet} /no/harness.dll"));
        Refused("MPI is 'lam', but openmpi or mpich", ("MPI", "lam"));
        Refused("the launcher is 'rsh', but srun or mpiexec is expected", ("LAUNCH", "rsh"));
    }

    /// <summary>
    /// A run that is complete and one that a rank's death cut off, with every run that other tests have left so far, in one table.
    /// </summary>
    [Test]
    public void CollectGivesOneTableOfAllRuns()
    {
        var complete = Submit(new("one-node.sbatch", 1, 2) { Switches = s_small });
        Assert.That(complete.Wait(), Is.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)), complete.Log());
        var cutOff = Endless(new Launch("srun", "openmpi")).Single();
        KillRankOnItsLastNode(cutOff);
        Assert.That(cutOff.Wait().State, Is.EqualTo("FAILED"), cutOff.Log());

        var runs = Directory.GetFiles(_cluster.Storage, RunFile.Manifest.Name, SearchOption.AllDirectories)
            .Select(path => new RunReader(Path.GetDirectoryName(path)!)).ToList();
        var rows = Collect(_cluster.Storage);
        var expected = runs.Select(run => (run.Directory, run.IsComplete ? run.Summary().Status : RunStatus.Incomplete));
        Assert.That(rows.Select(row => (row["run_directory"], row["status"])), Is.EquivalentTo(expected));
        Assert.That(rows.Select(row => row["status"]), Does.Contain(RunStatus.Complete).And.Contain(RunStatus.Incomplete));
        Assert.That(rows.Where(row => row["status"] != RunStatus.Complete && row["valid"] == "true"), Is.Empty);
        TestContext.Out.WriteLine(string.Join(", ", rows.GroupBy(row => row["status"]).Select(group => $"{group.Count()} {group.Key}")));
    }

    internal sealed record Launch(string Launcher, string Mpi)
    {
        public override string ToString() => $"{Launcher} {Mpi}";
    }

    /// <summary>Jobs of two ranks on two nodes without GPUs, all of which have produced results.</summary>
    private SlurmJob[] Endless(params Launch[] launches)
    {
        var jobs = launches.Select(launch => Submit(new($"many-nodes-{launch.Launcher}.sbatch", 2, 1)
        {
            Gpus = false,
            Options = ["--time=30"],
            Switches = s_endless,
            Environment = [("MPI", launch.Mpi)],
        })).ToArray();
        foreach (var job in jobs) job.WaitForResults();
        return jobs;
    }

    private SlurmJob Submit(SlurmJob.Request request)
    {
        var launch = request.Script.Contains("mpiexec", StringComparison.Ordinal) || request.Environment.Contains(("LAUNCH", "mpiexec"))
            ? "mpiexec" : "srun";
        var mpi = request.Environment.Contains(("MPI", "mpich")) ? "mpich" : "openmpi";
        RequiresMpi(mpi, launch);
        return SlurmJob.Submit(_cluster, NewDirectory(), request);
    }

    private static void RequiresMpi(string mpi, string launch)
    {
        if (Environment.GetEnvironmentVariable("PATH")?.Split(':')
            .Any(directory => File.Exists(Path.Combine(directory, $"mpiexec.{mpi}"))) != true)
            Assert.Ignore($"{launch} with {mpi} not run: mpiexec.{mpi} is missing; apt-get install "
                + $"{(mpi == "openmpi" ? "openmpi-bin libopenmpi-dev" : "mpich libmpich-dev")}");
    }

    private RunReader IsComplete(SlurmJob job, int nodes, int tensor, int pipeline)
    {
        Assert.That(job.Wait(), Is.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)), job.Log());
        var run = job.Runs.Single();
        var summary = run.Summary();
        Assert.Multiple(() =>
        {
            Assert.That((summary.Status, summary.Completed, summary.Failed), Is.EqualTo((RunStatus.Complete, 4, 0)));
            Assert.That((summary.Nodes, summary.Ranks, summary.TensorParallel, summary.PipelineParallel),
                Is.EqualTo((nodes, tensor * pipeline, tensor, pipeline)));
            Assert.That(run.Ranks().Select(row => row.Host).Distinct().Count(), Is.EqualTo(nodes));
        });
        HasTheExpectedTokens(run);
        return run;
    }

    private void HasTheExpectedTokens(RunReader run)
    {
        var tokens = Tokens(run);
        Assert.That(tokens.Keys, Is.EquivalentTo(_expected.Keys));
        foreach (var (prompt, output) in tokens) Assert.That(output, Is.EqualTo(_expected[prompt]), $"prompt {prompt} of {run.Directory}");
    }

    private static Dictionary<int, IReadOnlyList<int>> Tokens(RunReader run) =>
        run.Responses().ToDictionary(row => row.PromptIndex, row => row.OutputIds);

    private static void EndedInOrder(SlurmJob job)
    {
        Assert.That(job.Wait(), Is.EqualTo(new SlurmJob.End("FAILED", Interrupted, 0)), job.Log());
        Assert.That(job.Log(), Does.Contain("the time limit is near").And.Contain("stopped in order; finished batches are kept"));
        var run = job.Runs.Single();
        Assert.That(run.Summary().Status, Is.EqualTo(RunStatus.Interrupted));
        Assert.That(run.Summary().Completed, Is.EqualTo(run.Prompts().Count()).And.Positive);
        Assert.That(run.Prompts().GroupBy(row => (row.Repeat, row.BatchIndex)).Select(batch => batch.Count()), Has.All.EqualTo(2),
            "whole batches alone");
    }

    private void KillRankOnItsLastNode(SlurmJob job)
    {
        var node = job.Runs.Single().ReadManifest()["hardware"]!["hosts"]!.AsArray()[^1]!.GetValue<string>();
        var rank = _cluster.ProcessesOn(node).Single(process => CommandLine(process) is [var program, var library, "run", ..]
            && (program, library) == (SlurmCluster.DotNet, SlurmCluster.Harness));
        _cluster.Must("kill", "-KILL", $"{rank}");

        static string[] CommandLine(int process)
        {
            try { return File.ReadAllText($"/proc/{process}/cmdline").Split('\0'); }
            catch (IOException) { return []; }      // gone
        }
    }

    private string CollectedStatus(SlurmJob job) => Collect(job.Directory).Single()["status"];

    private List<Dictionary<string, string>> Collect(string directory)
    {
        var table = _scratch[Path.GetRandomFileName() + ".csv"];
        var (code, output) = _cluster.Run(null, SlurmCluster.DotNet, [SlurmCluster.Harness, "collect", directory, "--out", table]);
        Assert.That(code, Is.Zero, output);
        return CsvTable.Read(table);
    }

    private string NewDirectory() => Directory.CreateDirectory(Path.Combine(_cluster.Storage, $"user-{Guid.NewGuid():N}")).FullName;

    /// <summary>The library with its script, where all nodes see it.</summary>
    private string OnSharedStorage(FakeNvml fake)
    {
        var copy = NewDirectory();
        CopyDirectory(fake.Folder, copy);
        return Path.Combine(copy, Path.GetFileName(fake.Library));
    }

    private static void CopyDirectory(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
