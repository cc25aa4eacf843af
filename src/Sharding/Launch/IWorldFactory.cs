namespace Harness.Sharding.Launch;

/// <summary>
/// Another way to bring together ranks that are processes, from an optional assembly. It answers for what
/// <see cref="Mpi.MpiWorld.Run"/> does: launches that cannot work are refused before MPI starts, and a failure of one rank ends all.
/// </summary>
public interface IWorldFactory
{
    /// <summary>The word after <c>--communicator</c>.</summary>
    string Name { get; }

    /// <summary>Joins the world, runs <paramref name="body"/> and leaves it.</summary>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="threads">Threads with which this rank computes; 0 where the backend takes its share of the cores.</param>
    /// <param name="library">The native library, a path or a file name; null chooses it.</param>
    /// <param name="body">Called once with the communicator of all ranks, which it must not keep.</param>
    /// <param name="fail">Reports an exception; its result, made non-zero, is the job's exit code.</param>
    /// <exception cref="Harness.Common.UserErrorException">No usable library; nothing has been started.</exception>
    void Run(Launcher launcher, int threads, string? library, Action<ICommunicator> body, Func<Exception, int> fail);
}
