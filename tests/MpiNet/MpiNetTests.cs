using Harness.Tests.Sharding;

namespace Harness.Tests.MpiNet;

/// <summary>The contracts over the package MPI.NET, in real processes under MPICH's launcher; its refusals under Open MPI's.</summary>
[Parallelizable]
public class MpiNetTests
{
    private const string OpenMpiLibrary = "libmpi.so.40";

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);

    private static IEnumerable<TestCaseData> Worlds()
    {
        foreach (var (mpi, sizes) in new[] { (Mpiexec.Mpich, new[] { 1, 2, 3 }), (Mpiexec.Mpich.OnOneCore, [2, 3]) })
            foreach (var size in sizes)
                yield return new TestCaseData(mpi, size).SetArgDisplayNames($"{mpi}", $"{size} ranks");
    }

    [TestCaseSource(nameof(Worlds))]
    public void ContractsHold(object mpi, int ranks)
    {
        var result = Run((Mpiexec)mpi, ranks, null, "contract");
        Assert.That(result.ExitCode, Is.Zero, result.Output);
        var bodies = Contracts.CommunicatorContract.Bodies.Count + Contracts.HostLinkContract.Bodies.Count
            + Contracts.LaunchContract.Bodies.Count;
        Assert.That(result.Count("ok "), Is.EqualTo(bodies), result.Output);
        Assert.That(result.Output, Does.Not.Contain("leaked"));
    }

    [Test, Platform("Linux")]
    public void RanksWithoutACoreEachWaitWithoutOne()
    {
        var result = Run(Mpiexec.Mpich.OnOneCore, 3, null, "wait");
        Assert.That(result.ExitCode, Is.Zero, result.Output);
    }

    [Test]
    public void OpenMpisLauncherIsRefusedOnce() =>
        Refused(Run(Mpiexec.OpenMpi, 2, null, "open"), "2 ranks were started by Open MPI's mpiexec, and MPI.NET knows only");

    [Test]
    public void OpenMpisLibraryIsRefusedOnce()
    {
        Run(Mpiexec.OpenMpi, 1, null, "open");   // ignores the test where Open MPI is not installed
        Refused(Run(Mpiexec.Mpich, 2, OpenMpiLibrary, "open"), "the MPI library libmpi.so.40 is Open MPI v");
    }

    [Test]
    public void AMissingLibraryIsNamedOnce() =>
        EndsWithOneMessage(Run(Mpiexec.Mpich, 2, "/no/such/libmpi.so", "open"), "the MPI library '/no/such/libmpi.so' cannot be loaded");

    [Test]
    public void AnExceptionEndsRanksThatWaitInABarrier()
    {
        foreach (var rank in new[] { "0", "2" })
            EndsWithOneMessage(Run(Mpiexec.Mpich, 3, null, "throw", rank), $"thrown on rank {rank}");
    }

    private static void Refused(Mpiexec.Result result, string reason)
    {
        EndsWithOneMessage(result, reason);
        Assert.That(result.Output, Does.Contain("use --communicator mpi"));
    }

    private static void EndsWithOneMessage(Mpiexec.Result result, string message)
    {
        Assert.That(result.ExitCode, Is.Not.Zero, result.Output);
        Assert.That(result.Count("MpiProbe failed:"), Is.EqualTo(1), result.Output);
        Assert.That(result.Output, Does.Contain(message));
    }

    private static Mpiexec.Result Run(Mpiexec mpi, int ranks, string? library, params string[] arguments) =>
        mpi.Run(ranks, library, s_limit, ["--mpinet", .. arguments]);
}
