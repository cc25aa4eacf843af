namespace Harness.Tests.Sharding;

/// <summary>The communicator, link and launch contracts over both MPIs, in real processes under their real launchers.</summary>
[Parallelizable]
public class MpiTests
{
    private const string OpenMpiLibrary = "libmpi.so.40", MpichLibrary = "libmpich.so.12";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    /// <summary>"Within seconds", with room for a machine that does other work.</summary>
    private static readonly TimeSpan s_seconds = TimeSpan.FromMinutes(2);

    private static IEnumerable<TestCaseData> Worlds()
    {
        foreach (var (mpi, sizes) in new[]
        {
            (Mpiexec.OpenMpi, new[] { 1, 2, 5, 8 }), (Mpiexec.OpenMpiOverTcp, [2]), (Mpiexec.Mpich, [1, 2, 3, 5]),
            (Mpiexec.OpenMpi.OnOneCore, [2, 3]), (Mpiexec.OpenMpiOverTcp.OnOneCore, [3]), (Mpiexec.Mpich.OnOneCore, [2, 3]),
        })
            foreach (var size in sizes)
                yield return new TestCaseData(mpi, size).SetArgDisplayNames($"{mpi}", $"{size} ranks");
    }

    [TestCaseSource(nameof(Worlds))]
    public void ContractsHold(object mpi, int ranks)
    {
        var result = ((Mpiexec)mpi).Run(ranks, null, s_limit, "contract");
        Assert.That(result.ExitCode, Is.Zero, result.Output);
        var bodies = Contracts.CommunicatorContract.Bodies.Count + Contracts.HostLinkContract.Bodies.Count
            + Contracts.LaunchContract.Bodies.Count;
        Assert.That(result.Count("ok "), Is.EqualTo(bodies), result.Output);
    }

    [TestCaseSource(nameof(Launchers)), Platform("Linux")]
    public void RanksWithoutACoreEachWaitWithoutOne(object mpi)
    {
        var result = ((Mpiexec)mpi).OnOneCore.Run(3, null, s_limit, "wait");
        Assert.That(result.ExitCode, Is.Zero, result.Output);
    }

    [Test]
    public void ThirtyTwoRanksMeet()
    {
        var result = Mpiexec.OpenMpi.Run(32, null, s_limit, "open");
        Assert.That(result.ExitCode, Is.Zero, result.Output);
        Assert.That(result.Count("world of 32 on 1 nodes"), Is.EqualTo(1), result.Output);
    }

    [Test]
    public void OpenMpisLibraryUnderMpichsLauncherIsRefusedOnce()
    {
        Requires(Mpiexec.OpenMpi);
        var result = Mpiexec.Mpich.Run(4, OpenMpiLibrary, s_seconds, "open");
        EndsWithOneMessage(result, "4 ranks were started by MPICH's mpiexec (Hydra), which the MPI library libmpi.so.40 (Open MPI");
        Assert.That(result.Output, Does.Contain("mpiexec.openmpi or srun --mpi=pmix").And.Contain(MpichLibrary));
    }

    [Test]
    public void MpichsLibraryUnderOpenMpisLauncherIsRefusedOnce()
    {
        Requires(Mpiexec.Mpich);
        var result = Mpiexec.OpenMpi.Run(4, MpichLibrary, s_seconds, "open");
        EndsWithOneMessage(result, "4 ranks were started by Open MPI's mpiexec, but with the MPI library libmpich.so.12 (MPICH Version");
        Assert.That(result.Output,
            Does.Contain("in a world of 1").And.Contain("mpiexec.mpich or srun --mpi=pmi2").And.Contain(OpenMpiLibrary));
    }

    private static Mpiexec[] Launchers() => [Mpiexec.OpenMpi, Mpiexec.Mpich];

    [TestCaseSource(nameof(Launchers))]
    public void AMissingLibraryIsNamedOnce(object mpi) =>
        EndsWithOneMessage(((Mpiexec)mpi).Run(3, "/no/such/libmpi.so", s_seconds, "open"),
            "the MPI library '/no/such/libmpi.so' cannot be loaded");

    [TestCaseSource(nameof(Launchers))]
    public void ALibraryThatIsNotMpiIsNamedOnce(object mpi) =>
        EndsWithOneMessage(((Mpiexec)mpi).Run(3, "libm.so.6", s_seconds, "open"), "'libm.so.6' has no MPI_");

    [TestCaseSource(nameof(Launchers))]
    public void ADifferingCheckpointEndsAllRanks(object mpi) =>
        EndsWithOneMessage(((Mpiexec)mpi).Run(3, null, s_seconds, "differ"), "the checkpoint of rank 1 on ");

    [TestCaseSource(nameof(Launchers))]
    public void AStepThatFailsOnOneRankEndsAll(object mpi) =>
        EndsWithOneMessage(((Mpiexec)mpi).Run(3, null, s_seconds, "step", "2"), "tokenizer.json is not there; copy it (rank 2 on ");

    [TestCaseSource(nameof(Launchers))]
    public void AnExceptionEndsRanksThatWaitInABarrier(object mpi)
    {
        foreach (var rank in new[] { "0", "2" })
            EndsWithOneMessage(((Mpiexec)mpi).Run(3, null, s_seconds, "throw", rank), $"thrown on rank {rank}");
    }

    /// <summary>A peer that lives and never comes: no error from MPI, no exception; only the watchdog ends the world.</summary>
    [TestCaseSource(nameof(Launchers))]
    public void TheWatchdogEndsAWorldThatStands(object mpi)
    {
        var result = ((Mpiexec)mpi).Run(3, null, s_seconds, "stall", "1");
        Assert.That(result.ExitCode, Is.Not.Zero, result.Output);
        Assert.That(result.Count("no progress for"), Is.EqualTo(1), result.Output);
    }

    private static void EndsWithOneMessage(Mpiexec.Result result, string message)
    {
        Assert.That(result.ExitCode, Is.Not.Zero, result.Output);
        Assert.That(result.Count("MpiProbe failed:"), Is.EqualTo(1), result.Output);
        Assert.That(result.Output, Does.Contain(message));
    }

    /// <summary>Ignores the test where that MPI is not installed.</summary>
    private static void Requires(Mpiexec mpi) => mpi.Run(1, null, s_seconds, "open");
}
