using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Tensors;

namespace Harness.Tests.Sharding;

/// <summary>Environments as rank 3 of 4 on two nodes saw them, under Slurm 22.05 with Open MPI 4.1.4 and MPICH 4.0.2.</summary>
public class LauncherTests
{
    // https://github.com/Lightning-AI/pytorch-lightning/pull/16955: an interactive job of several tasks; TTY stands for a terminal.
    private const string InPty = "TTY=1 SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_PTY_PORT=40001 ";

    private const string SlurmStep = "SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=3 SLURM_LOCALID=1 ";

    [TestCase("", LauncherKind.None, null, null, null)]
    [TestCase("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_RANK=3", LauncherKind.OpenMpi, 4, 3, 1)]
    [TestCase("PMI_SIZE=4 PMI_RANK=3 PMI_FD=6 MPI_LOCALRANKID=1 HYDI_CONTROL_FD=7", LauncherKind.Hydra, 4, 3, 1)]
    [TestCase(SlurmStep + "PMIX_RANK=3 SLURM_MPI_TYPE=pmix", LauncherKind.SrunPmix, 4, 3, 1)]
    [TestCase(SlurmStep + "PMI_RANK=3 PMI_SIZE=4 PMI_FD=13 SLURM_MPI_TYPE=pmi2", LauncherKind.SrunPmi2, 4, 3, 1)]
    [TestCase(SlurmStep, LauncherKind.Srun, 4, 3, 1)]
    // A batch script has Slurm's variables but no step: nobody started ranks.
    [TestCase("SLURM_JOB_ID=1 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0", LauncherKind.None, null, null, null)]
    // Under an mpiexec inside a job, Slurm's numbers are those of the launcher's daemon on the second node.
    [TestCase("SLURM_STEP_ID=3 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_RANK=3", LauncherKind.OpenMpi, 4, 3, 1)]
    [TestCase("SLURM_STEP_ID=4 SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 SLURM_LOCALID=0 SLURM_NTASKS=4 PMI_RANK=3 PMI_SIZE=4 PMI_FD=6 MPI_LOCALRANKID=1 MPI_LOCALNRANKS=2", LauncherKind.Hydra, 4, 3, 1)]
    // Typed into the shell of srun --pty; a task of a further srun from there; the task of --pty itself.
    [TestCase(InPty + "PMIX_RANK=0", LauncherKind.None, null, null, null)]
    [TestCase(InPty + "PMI_RANK=0 PMI_SIZE=4 PMI_FD=13", LauncherKind.None, null, null, null)]
    [TestCase(InPty + "PMI_SIZE=4 PMI_RANK=3 PMI_FD=6 MPI_LOCALRANKID=1", LauncherKind.Hydra, 4, 3, 1)]
    [TestCase(SlurmStep + "SLURM_PTY_PORT=40001 SLURM_TASK_PID=70 PMIX_RANK=3", LauncherKind.SrunPmix, 4, 3, 1)]
    [TestCase(InPty + "SLURM_TASK_PID=71", LauncherKind.Srun, 4, 0, 0)]
    public void IsReadFromTheEnvironment(string environment, LauncherKind kind, int? size, int? rank, int? localRank) =>
        Assert.That(Detect(environment), Is.EqualTo(new Launcher(kind, size, rank, localRank)));

    [TestCase("", 1, ExpectedResult = "solo")]
    [TestCase("", 8, ExpectedResult = "threads")]
    [TestCase("PMI_SIZE=8 PMI_RANK=0", 8, ExpectedResult = "mpi")]
    [TestCase("OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0", 1, ExpectedResult = "solo")]
    public string AutoFollowsTheLauncher(string environment, int ranks) => Worlds.Choose("auto", ranks, Detect(environment));

    [Test]
    public void SeveralCopiesOfAOneProcessRunAreRefused()
    {
        var launcher = Detect("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0");
        Assert.That(() => Worlds.Choose("threads", 1, launcher), Throws.TypeOf<UserErrorException>()
            .With.Message.StartsWith("4 processes were started by Open MPI's mpiexec, but communicator 'threads'").And.Message.Contains("--communicator mpi"));
    }

    /// <summary>https://github.com/open-mpi/ompi/issues/12027: below a rank of another program its variables are still there.</summary>
    [TestCase("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0 PMIX_RANK=0")]
    [TestCase(SlurmStep + "PMIX_RANK=3")]
    public void SoloPassesOverWhatALauncherLeft(string environment) =>
        Assert.That(Worlds.Choose("solo", 1, Detect(environment)), Is.EqualTo("solo"));

    [TestCase("carrier-pigeon", 1, "'carrier-pigeon'")]
    [TestCase("solo", 4, "'solo' is one rank, and 4 were asked for")]
    [TestCase("auto", 257, "257 ranks as threads of one process are more than 256")]
    public void AChoiceThatCannotWorkIsRefused(string communicator, int ranks, string message) =>
        Assert.That(() => Worlds.Choose(communicator, ranks, Detect("")), Throws.TypeOf<UserErrorException>().With.Message.Contains(message));

    [TestCase(SlurmStep, "srun without --mpi=pmix or --mpi=pmi2")]
    [TestCase(SlurmStep + "PMI_RANK=3 PMI_SIZE=4", "srun --mpi=pmi2")]
    [TestCase("PMI_RANK=3 PMI_SIZE=4", "MPICH's mpiexec (Hydra)")]
    public void OpenMpiIsRefusedBeforeItAbortsInInit(string environment, string label) =>
        Assert.That(() => LaunchChecks.LibraryFits(Detect(environment), "Open MPI", "libmpi.so.40", "v4.1.4"),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"4 ranks were started by {label}").And.Message.Contains("srun --mpi=pmix"));

    [TestCase("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3", "Open MPI")]
    [TestCase(SlurmStep + "PMIX_RANK=3", "Open MPI")]
    [TestCase("", "Open MPI")]
    [TestCase("SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0", "Open MPI")]
    [TestCase(SlurmStep + "PMIX_RANK=3", "MPICH")]
    public void ALibraryThatMayFitIsTried(string environment, string family) =>
        Assert.That(() => LaunchChecks.LibraryFits(Detect(environment), family, "library", "version"), Throws.Nothing);

    [Test]
    public void AWorldOfAnotherSizeThanAnnouncedIsRefused()
    {
        var srun = Detect(SlurmStep + "PMIX_RANK=3");
        Assert.That(() => LaunchChecks.WorldSize(srun, 4, "MPICH", "libmpich.so.12", "MPICH 4.0.2"), Throws.Nothing);
        Assert.That(() => LaunchChecks.WorldSize(srun, 1, "MPICH", "libmpich.so.12", "MPICH 4.0.2"), Throws.TypeOf<UserErrorException>()
            .With.Message.Contains("4 ranks were started by srun --mpi=pmix").And.Message.Contains("a world of 1").And.Message.Contains("srun --mpi=pmi2"));
    }

    private static Launcher Detect(string environment) => Launcher.Detect(
        environment.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1]), processId: 71, terminal: environment.Contains("TTY=1"));
}
