using System.Diagnostics;
using System.Text.RegularExpressions;
using Harness.Runs;
using Harness.Runs.Records;

namespace Harness.Tests.Slurm;

/// <summary>What <c>harness sweep --emit slurm</c> writes, submitted as it says, on a real Slurm of emulated nodes.</summary>
[Category("Slurm")]
[Parallelizable]
[Platform("Linux"), System.Runtime.Versioning.SupportedOSPlatform("linux")]
public class SweepJobTests
{
    private const string Grid = """
        { "Sharding": { "Tensor": 2, "Pipeline": [1, 2] }, "Runtime": { "Backend": "cpu", "Threads": 1 }, "Dataset": { "Limit": 4 }, "Batch": { "Size": [2, 4] },
          "Generation": { "MaxNewTokens": 8 }, "Energy": { "Meter": "none" }, "Repeats": { "Warmup": 0 } }
        """;

    private SlurmCluster _cluster = null!;
    private string _directory = null!;

    [OneTimeSetUp]
    public void Start()
    {
        _cluster = new SlurmCluster();
        _directory = Directory.CreateDirectory(Path.Combine(_cluster.Storage, $"user-{Guid.NewGuid():N}")).FullName;
        File.WriteAllText(Path.Combine(_directory, "study.json"), Grid);
    }

    [OneTimeTearDown]
    public void Stop() => _cluster?.Dispose();

    private string Results => Path.Combine(_directory, "results");

    private IEnumerable<string> Runs => Directory.GetDirectories(Results).Where(path => File.Exists(Path.Combine(path, RunFile.Manifest.Name)))
        .Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal);

    private string Sweep(params string[] more)
    {
        var (code, output) =
            _cluster.Run(_directory, SlurmCluster.DotNet, [SlurmCluster.Harness, "sweep", "--config", "study.json", .. more]);
        Assert.That(code, Is.Zero, output);
        return output;
    }

    /// <summary>
    /// Two cells on one node of two ranks, two on two such nodes; then once more, when one of them is gone and one is not valid.
    /// </summary>
    [TestCase("srun", "openmpi")]
    [LongTestCase("mpiexec", "mpich")]
    public void ArraysFinishTheCellsOfEachNodeShape(string launch, string mpi)
    {
        if (Environment.GetEnvironmentVariable("PATH")?.Split(':')
            .Any(directory => File.Exists(Path.Combine(directory, $"mpiexec.{mpi}"))) != true)
            Assert.Ignore($"{launch} with {mpi} not run: mpiexec.{mpi} is missing; apt-get install "
                + $"{(mpi == "openmpi" ? "openmpi-bin libopenmpi-dev" : "mpich libmpich-dev")}");
        if (Directory.Exists(Results)) Directory.Delete(Results, recursive: true);
        string[] cells = ["pp1-b2", "pp1-b4", "pp2-b2", "pp2-b4"];
        var emitted = Sweep("--gpus-per-node", "2", "--emit", "slurm");
        Assert.That(emitted, Is.EqualTo("sbatch results/slurm/study-1x2-cpu.sbatch    # 2 cells\nsbatch "
            + "results/slurm/study-2x2-cpu.sbatch    # 2 cells\n"));
        Assert.That(Submit(emitted, launch, mpi), Has.All.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)));
        Assert.That(Runs, Is.EqualTo(cells));
        foreach (var cell in cells)
        {
            var summary = new RunReader(Path.Combine(Results, cell)).Summary();
            var stages = cell[2] - '0';
            Assert.That((summary.Status, summary.Completed, summary.Nodes, summary.Ranks, summary.PipelineParallel, summary.BatchSize),
                Is.EqualTo((RunStatus.Complete, 4, stages, 2 * stages, stages, cell[^1] - '0')), cell);
        }
        Assert.That(Sweep("--dry-run", "--gpus-per-node", "2"), Does.EndWith("4 cells: 4 fit, 0 dropped; 4 done\n"),
            "what Slurm ran is what a sweep here would have run");

        Directory.Delete(Path.Combine(Results, "pp2-b2"), recursive: true);
        var invalid = Path.Combine(Results, "pp1-b4", RunFile.Summary.Name);
        File.WriteAllText(invalid, File.ReadAllText(invalid).Replace("no_meter", "throttled", StringComparison.Ordinal));
        var written = Directory.GetFiles(Results, "*", SearchOption.AllDirectories).ToDictionary(path => path, File.ReadAllText);
        Assert.That(Submit(emitted, launch, mpi), Has.All.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)));
        Assert.That(Runs, Is.EqualTo(cells.Append("pp1-b4-2").Order(StringComparer.Ordinal)));
        foreach (var (path, content) in written) Assert.That(File.ReadAllText(path), Is.EqualTo(content), path);
    }

    /// <summary>A node that fails, or a person, puts a task back into the queue: its cell becomes complete all the same, once.</summary>
    [Test]
    public void ARequeuedTaskGoesOnWithItsCell()
    {
        if (Directory.Exists(Results)) Directory.Delete(Results, recursive: true);
        var emitted = Sweep("--gpus-per-node", "2", "--emit", "slurm", "--Sharding:Pipeline=2", "--batch", "4", "--repeats", "150",
            "--name", "long");
        var job = SlurmJob.SubmitWritten(_cluster, _directory, Regex.Match(emitted, @"^sbatch (\S+)").Groups[1].Value);
        var rows = Path.Combine(Results, "long", "prompts.partial.csv");
        for (var limit = Stopwatch.StartNew(); !File.Exists(rows) || new FileInfo(rows).Length < 2000; Thread.Sleep(100))
            if (limit.Elapsed > TimeSpan.FromMinutes(2)) Assert.Fail($"no rows came: {job.Log(1)}");
        _cluster.Must("scontrol", "requeue", $"{job.Id}_1");
        Assert.That(job.Wait(1), Is.EqualTo(new SlurmJob.End("COMPLETED", 0, 0)), job.Log(1));
        Assert.That(job.Log(1), Does.Contain("long: requeued, start 2"));
        var complete = Runs.Select(name => new RunReader(Path.Combine(Results, name)))
            .Single(run => run.IsComplete && run.Summary().Status == RunStatus.Complete);
        Assert.That(complete.Prompts().Select(row => (row.Repeat, row.PromptIndex)),
            Is.EquivalentTo(from repeat in Enumerable.Range(1, 150) from prompt in Enumerable.Range(0, 4) select (repeat, prompt)));
    }

    /// <summary>Runs the printed lines; how each task ended.</summary>
    private List<SlurmJob.End> Submit(string lines, string launch, string mpi)
    {
        var jobs = Regex.Matches(lines, @"(?m)^sbatch (\S+) +# (\d+) cells$").Select(match => (
            Job: SlurmJob.SubmitWritten(_cluster, _directory, match.Groups[1].Value, ("LAUNCH", launch), ("MPI", mpi)),
                Tasks: int.Parse(match.Groups[2].Value))).ToList();
        return [.. from job in jobs from task in Enumerable.Range(1, job.Tasks) select WithLog(job.Job, task)];

        static SlurmJob.End WithLog(SlurmJob job, int task)
        {
            var end = job.Wait(task);
            if (end.State != "COMPLETED") TestContext.Out.WriteLine(job.Log(task));
            return end;
        }
    }
}
