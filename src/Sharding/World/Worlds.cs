using Harness.Common;
using Harness.Sharding.Communicators;
using Harness.Sharding.Launch;
using Harness.Sharding.Mpi;

namespace Harness.Sharding.World;

/// <summary>The ways to bring ranks together, by the word after <c>--communicator</c>.</summary>
public static class Worlds
{
    /// <summary>The word for libmpi by way of the package MPI.NET: an <see cref="IWorldFactory"/> in an assembly of its own.</summary>
    public const string MpiNet = "mpinet";

    /// <summary>Beyond this, ranks of one process take minutes to meet; nobody has as many cores.</summary>
    private const int MostThreads = 256;

    /// <summary>auto, or the implementation that the word names: mpi under a launcher, else threads where there are several ranks.</summary>
    /// <exception cref="UserErrorException">The word is none of auto, solo, threads, mpi, mpinet; or the launch contradicts it.</exception>
    public static string Choose(string word, int ranks, Launcher launcher)
    {
        var name = word switch
        {
            "auto" => launcher.Size > 1 ? "mpi" : ranks > 1 ? "threads" : "solo",
            "solo" or "threads" or "mpi" or MpiNet => word,
            _ => throw new UserErrorException($"communicator '{word}' is unknown; use auto, solo, threads, mpi or {MpiNet}"),
        };
        if (name == "solo" && ranks > 1)
            throw new UserErrorException($"communicator 'solo' is one rank, and {ranks} were asked for; use threads or mpi");
        if (name == "threads" && ranks > MostThreads)
            throw new UserErrorException($"{ranks} ranks as threads of one process are more than {MostThreads}; use smaller degrees, or start processes (mpiexec -n {ranks})");
        LaunchChecks.OneProcess(launcher, name);
        return name;
    }

    /// <summary>
    /// Runs <paramref name="body"/> on every rank. A failure of ranks in this process is thrown; one of a rank that is a process
    /// goes to <paramref name="fail"/>, which returns the exit code, and ends the world (<see cref="MpiWorld.Run"/>).
    /// </summary>
    /// <param name="name">solo, threads or mpi, from <see cref="Choose"/>.</param>
    /// <param name="ranks">Threads to start; under mpi the launcher has decided.</param>
    /// <param name="threads">Threads with which each rank computes; 0 where the backend takes its share of the cores.</param>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="library">libmpi, or null to choose it.</param>
    public static void Run(string name, int ranks, int threads, Launcher launcher, string? library, Action<ICommunicator> body, Func<Exception, int> fail)
    {
        switch (name)
        {
            case "solo": body(new SoloCommunicator()); break;
            case "threads": ThreadWorld.Run(ranks, body, threads); break;
            default: MpiWorld.Run(launcher, threads, library, body, fail); break;
        }
    }
}
