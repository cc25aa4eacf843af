using Harness.Common;
using Harness.Sharding.Launch;
using Harness.Sharding.World;

namespace Harness.Tests.Sharding;

/// <summary>Environments as rank 3 of 4 on two nodes saw them, under Slurm 22.05 with Open MPI 4.1.4 and MPICH 4.0.2.</summary>
public class LauncherTests
{
    private const string SlurmStep = "SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=3 SLURM_LOCALID=1 ";

    [TestCase("", LauncherKind.None, null, null, null)]
    [TestCase("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_RANK=3", LauncherKind.OpenMpi, 4, 3, 1)]
    [TestCase("PMI_SIZE=4 PMI_RANK=3 PMI_FD=6 MPI_LOCALRANKID=1 HYDI_CONTROL_FD=7", LauncherKind.Hydra, 4, 3, 1)]
    [TestCase(SlurmStep + "PMIX_RANK=3 SLURM_MPI_TYPE=pmix", LauncherKind.SrunPmix, 4, 3, 1)]
    [TestCase(SlurmStep + "PMI_RANK=3 PMI_SIZE=4 PMI_FD=13 SLURM_MPI_TYPE=pmi2", LauncherKind.SrunPmi2, 4, 3, 1)]
    [TestCase(SlurmStep, LauncherKind.Srun, 4, 3, 1)]
    [TestCase(SlurmStep + "PMIX_RANK=3 SLURM_MPI_TYPE=pmix SLURM_PTY_PORT=35001", LauncherKind.None, null, null, null)]
    [TestCase(SlurmStep + "SLURM_PTY_PORT=35001", LauncherKind.None, null, null, null)]
    [TestCase(SlurmStep + "SLURM_PTY_PORT=35001 PMI_SIZE=4 PMI_RANK=3 PMI_FD=6 MPI_LOCALRANKID=1 HYDI_CONTROL_FD=7", LauncherKind.Hydra, 4,
        3, 1)]
    // A batch script has Slurm's variables but no step: nobody started ranks.
    [TestCase("SLURM_JOB_ID=1 SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_LOCALID=0", LauncherKind.None, null, null, null)]
    // Under an mpiexec inside a job, Slurm's numbers are those of the launcher's daemon on the second node.
    [TestCase("SLURM_STEP_ID=3 SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1 OMPI_COMM_WORLD_SIZE=4 "
        + "OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_LOCAL_RANK=1 PMIX_RANK=3", LauncherKind.OpenMpi, 4, 3, 1)]
    [TestCase("SLURM_STEP_ID=4 SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1 SLURM_LOCALID=0 SLURM_NTASKS=4 PMI_RANK=3 PMI_SIZE=4 PMI_FD=6 "
        + "MPI_LOCALRANKID=1 MPI_LOCALNRANKS=2", LauncherKind.Hydra, 4, 3, 1)]
    public void IsReadFromTheEnvironment(string environment, LauncherKind kind, int? size, int? rank, int? localRank) =>
        Assert.That(Detect(environment), Is.EqualTo(new Launcher(kind, size, rank, localRank)));

    [TestCase("", 1, ExpectedResult = CommunicatorKind.Solo)]
    [TestCase("", 8, ExpectedResult = CommunicatorKind.Threads)]
    [TestCase("PMI_SIZE=8 PMI_RANK=0", 8, ExpectedResult = CommunicatorKind.Mpi)]
    [TestCase("OMPI_COMM_WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=0", 1, ExpectedResult = CommunicatorKind.Solo)]
    public CommunicatorKind AutoFollowsTheLauncher(string environment, int ranks) =>
        Worlds.Choose(CommunicatorKind.Auto, ranks, Detect(environment));

    [Test]
    public void SeveralCopiesOfAOneProcessRunAreRefusedUnlessTheyAreAskedFor()
    {
        var launcher = Detect("OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0");
        Assert.That(() => Worlds.Choose(CommunicatorKind.Threads, 1, launcher), Throws.TypeOf<UserErrorException>()
            .With.Message.StartsWith("4 processes were started by Open MPI's mpiexec, but communicator 'threads'").And.Message.Contains(
                "--communicator mpi"));
        // https://github.com/open-mpi/ompi/issues/12027: below a rank of another program its variables are still there.
        Assert.That(Worlds.Choose(CommunicatorKind.Solo, 1, launcher), Is.EqualTo(CommunicatorKind.Solo));
    }

    private const string OpenMpi =
        "OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0 PMIX_RANK=0 PMIX_SERVER_URI21=prterun-node-7@0.0;tcp4://127.0.0.1:4711 ";
    private const string Hydra = "PMI_SIZE=4 PMI_RANK=0 PMI_FD=6 ";
    private const string OnTerminal = SlurmStep + "SLURM_PTY_PORT=35001 SLURM_PTY_WIN_COL=80 ";

    // From the process upwards: name, process group, words of the command line. A group's number is that of its first process.
    [TestCase(SlurmStep, "harness 10|slurmstepd 20 slurmstepd:_[1.0]", true, TestName = "ATaskOfAStepIsARank")]
    [TestCase(SlurmStep, "harness 10|timeout 10 timeout_60|bash 11 /bin/bash_wrap.sh|slurmstepd 20 slurmstepd:_[1.0]", true,
        TestName = "ATaskUnderAScriptIsARank")]
    [TestCase(OnTerminal + "PMIX_RANK=0", "harness 10|bash 11 bash|slurmstepd 20 slurmstepd:_[1.0]", false,
        TestName = "AShellOnATerminalStartsNoRanks")]
    [TestCase(OnTerminal, "harness 10|bash 11 -bash_--rcfile_x|slurmstepd 20 slurmstepd:_[1.0]", false,
        TestName = "ALoginShellStartsNoRanks")]
    [TestCase(OnTerminal, "harness 10|python3 10 python3_study.py|zsh 11 zsh_-i|slurmstepd 20 slurmstepd:_[1.0]", false,
        TestName = "ABenchmarkFromAShellIsNoRank")]
    [TestCase(OnTerminal, "harness 10|slurmstepd 20 slurmstepd:_[1.1]", false, TestName = "TheVariablesOfAnotherStepAreLeftOver")]
    [TestCase(OnTerminal + "SLURM_STEP_ID=1", "harness 10|slurmstepd 20 slurmstepd:_[1.1]", true,
        TestName = "AStepFromWithinAShellOnATerminalHasRanks")]
    [TestCase(SlurmStep, "harness 10|bash 10 /bin/bash_slurm_script|slurmstepd 20 slurmstepd:_[2.batch]", false,
        TestName = "ABatchJobThatWasSubmittedFromAStepHasNoRanks")]
    [TestCase(OpenMpi, "harness 10|orted 20 orted_-mca|sshd 30 sshd", true, TestName = "OpenMpisDaemonStartsRanks")]
    [TestCase(OpenMpi, "harness 10|mpiexec.openmpi 20 mpiexec_-n_4|bash 30 bash", true, TestName = "MpiexecOnAShellStartsRanks")]
    [TestCase(Hydra, "harness 20|hydra_pmi_proxy 20 hydra_pmi_proxy|mpiexec.hydra 20 mpiexec|bash 30 bash", true,
        TestName = "HydrasProxyStartsRanks")]
    [TestCase(OpenMpi, "harness 10|bash 11 bash|sshd 12 sshd", false, TestName = "SavedVariablesInAShellAreLeftOver")]
    [TestCase(OpenMpi, "harness 10|systemd 1 systemd", false, TestName = "WhereNobodyListensThereIsNoLauncher")]
    [TestCase(OpenMpi + "LISTENS", "harness 10|entry 1 entry", true, TestName = "InAContainerThePortIsWhatThereIs")]
    [TestCase(Hydra, "harness 10|systemd 1 systemd", false, TestName = "WhereNoSocketWasInheritedThereIsNoLauncher")]
    [TestCase(Hydra + "LISTENS", "harness 10|flux-shell 9 flux-shell", true, TestName = "AnotherLaunchersDaemonIsOne")]
    [TestCase(Hydra + "LISTENS", "harness 10|unknown 9 unknown", true, TestName = "AnInheritedSocketIsALauncher")]
    [TestCase(SlurmStep, "harness 10|hidden", true, TestName = "WhereNothingCanBeSeenTheEnvironmentCounts")]
    [TestCase(OnTerminal, "harness 10|hidden", false, TestName = "WhereNothingCanBeSeenATerminalCounts")]
    public void WhoStartedAProcessIsSeenInItsAncestors(string environment, string ancestors, bool isRank)
    {
        var lines = ancestors.Split('|');
        ProcessEntry? Process(int id)
        {
            var words = lines[id - 1].Split(' ');
            return words is ["hidden"] ? null
                : new(id, id == lines.Length ? 0 : id + 1, int.Parse(words[1]), words[0], words.Length > 2 ? words[2].Split('_')
                : [words[0]]);
        }
        var variables = environment.Replace("LISTENS", "").Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(v => v.Split('=')).GroupBy(v => v[0]).ToDictionary(v => v.Key, v => v.Last()[1]);
        var answers = environment.Contains("LISTENS");
        var origin = new RankOrigin(Process, _ => answers, port => answers && port == 4711);
        var announced = Launcher.Detect(variables.Where(v => v.Key != "SLURM_PTY_PORT").ToDictionary(v => v.Key, v => v.Value));
        Assert.That(origin.IsRank(announced.Kind, variables, 1), Is.EqualTo(isRank));
    }

    /// <summary>This process is a test's, whatever its environment says.</summary>
    [Test, Platform("Linux")]
    public void OfARealProcessTheTableIsRead()
    {
        var self = ProcessEntry.Of(Environment.ProcessId)!;
        Assert.That(ProcessEntry.Of(self.Parent)?.Id, Is.EqualTo(self.Parent));
        Assert.That(self.CommandLine, Is.Not.Empty);
        Assert.That(RankOrigin.Here.IsRank(LauncherKind.Hydra, new Dictionary<string, string> { ["PMI_FD"] = "1023" }, self.Id), Is.False);
        Assert.That(ProcessEntry.Of(int.MaxValue), Is.Null);
    }

    [TestCase(CommunicatorKind.Solo, 4, "'solo' is one rank, and 4 were asked for")]
    [TestCase(CommunicatorKind.Auto, 257, "257 ranks as threads of one process are more than 256")]
    public void AChoiceThatCannotWorkIsRefused(CommunicatorKind communicator, int ranks, string message) =>
        Assert.That(() => Worlds.Choose(communicator, ranks, Detect("")),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(message));

    [TestCase(SlurmStep, "srun without --mpi=pmix or --mpi=pmi2")]
    [TestCase(SlurmStep + "PMI_RANK=3 PMI_SIZE=4", "srun --mpi=pmi2")]
    [TestCase("PMI_RANK=3 PMI_SIZE=4", "MPICH's mpiexec (Hydra)")]
    public void OpenMpiIsRefusedBeforeItAbortsInInit(string environment, string label) =>
        Assert.That(() => LaunchChecks.LibraryFits(Detect(environment), "Open MPI", "libmpi.so.40", "v4.1.4"),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"4 ranks were started by {label}").And.Message.Contains(
                "srun --mpi=pmix"));

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
            .With.Message.Contains("4 ranks were started by srun --mpi=pmix").And.Message.Contains("a world of 1").And.Message.Contains(
                "srun --mpi=pmi2"));
    }

    private static Launcher Detect(string environment) => Launcher.Detect(
        environment.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1]));
}
