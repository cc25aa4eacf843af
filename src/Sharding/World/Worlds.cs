using Harness.Common;
using Harness.Sharding.Communicators;
using Harness.Sharding.Launch;
using Harness.Sharding.Mpi;

namespace Harness.Sharding.World;

/// <summary>The ways to bring ranks together, named after their words in <c>--communicator</c>.</summary>
public enum CommunicatorKind
{
    /// <summary>MPI under a launcher, else threads where there are several ranks.</summary>
    Auto,

    /// <summary>One rank.</summary>
    Solo,

    /// <summary>All ranks in this process.</summary>
    Threads,

    /// <summary>libmpi, bound directly.</summary>
    Mpi,

    /// <summary>libmpi by way of the package MPI.NET: an <see cref="IWorldFactory"/> in an assembly of its own.</summary>
    MpiNet,
}

/// <summary>Brings ranks together.</summary>
public static class Worlds
{
    /// <summary>Beyond this, ranks of one process take minutes to meet; nobody has as many cores.</summary>
    private const int MostThreads = 256;

    /// <summary>What was asked for, or what auto takes.</summary>
    /// <exception cref="UserErrorException">The launch contradicts it.</exception>
    public static CommunicatorKind Choose(CommunicatorKind asked, int ranks, Launcher launcher)
    {
        var kind = asked != CommunicatorKind.Auto ? asked
            : launcher.Size > 1 ? CommunicatorKind.Mpi : ranks > 1 ? CommunicatorKind.Threads : CommunicatorKind.Solo;
        if (kind == CommunicatorKind.Solo && ranks > 1)
            throw new UserErrorException($"communicator 'solo' is one rank, and {ranks} were asked for; use threads or mpi");
        if (kind == CommunicatorKind.Threads && ranks > MostThreads)
            throw new UserErrorException($"{ranks} ranks as threads of one process are more than {MostThreads}; "
                + $"use smaller degrees, or start processes (mpiexec -n {ranks})");
        // One that is told to do the whole job by itself (solo) may.
        if (kind == CommunicatorKind.Threads && launcher.Size > 1)
            throw new UserErrorException($"{launcher.Size} processes were started by {launcher.Label}, "
                + "but communicator 'threads' keeps all ranks in one process; "
                + "use --communicator mpi, or start it once, without a launcher (--communicator solo is one rank by itself)");
        return kind;
    }

    /// <summary>
    /// Runs <paramref name="body"/> on every rank. A failure of ranks in this process is thrown; one of a rank that is a process
    /// goes to <paramref name="fail"/>, which returns the exit code, and ends the world (<see cref="MpiWorld.Run"/>).
    /// </summary>
    /// <param name="kind">One of this assembly's, from <see cref="Choose"/>.</param>
    /// <param name="ranks">Threads to start; under mpi the launcher has decided.</param>
    /// <param name="threads">Threads with which each rank computes; 0 where the backend takes its share of the cores.</param>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="library">libmpi, or null to choose it.</param>
    public static void Run(CommunicatorKind kind, int ranks, int threads, Launcher launcher, string? library, Action<ICommunicator> body,
        Func<Exception, int> fail)
    {
        switch (kind)
        {
            case CommunicatorKind.Solo: body(new SoloCommunicator()); break;
            case CommunicatorKind.Threads: ThreadWorld.Run(ranks, body, threads); break;
            default: MpiWorld.Run(launcher, threads, library, body, fail); break;
        }
    }
}
