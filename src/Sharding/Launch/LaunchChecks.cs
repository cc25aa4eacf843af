using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Sharding.Mpi;

namespace Harness.Sharding.Launch;

/// <summary>Launches that cannot work, each refused with one line that names what was found and the remedy.</summary>
public static class LaunchChecks
{
    /// <summary>
    /// Before MPI starts: Open MPI under a launcher that speaks another protocol aborts inside MPI_Init, or forms one world per process.
    /// The MPICH ABI's libraries are judged by <see cref="WorldSize"/>, since some of them speak PMIx.
    /// </summary>
    internal static void LibraryFits(Launcher launcher, string family, string library, string version)
    {
        if (family == "Open MPI" && launcher.Kind is LauncherKind.Hydra or LauncherKind.SrunPmi2 or LauncherKind.Srun && launcher.Size > 1)
            throw new UserErrorException($"{launcher.Size} ranks were started by {launcher.Label}, which the MPI library {library} "
                + $"({version}) cannot join; {Remedy(launcher, family)}");
    }

    /// <summary>
    /// After MPI has started: a world of another size than the launcher announced means that launcher and library do not belong together.
    /// </summary>
    internal static void WorldSize(Launcher launcher, int worldSize, string family, string library, string version)
    {
        if (launcher.Size is { } started && started != worldSize)
            throw new UserErrorException($"{started} ranks were started by {launcher.Label}, but with the MPI library {library} "
                + $"({version}) this one is in a world of {worldSize}: launcher and library do not belong together; "
                + $"{Remedy(launcher, family)}");
    }

    /// <summary>
    /// Compares what the ranks see. Every rank gives the same names ("configuration", "checkpoint", …), each with a content or a digest of
    /// it.
    /// </summary>
    /// <exception cref="UserErrorException">Something differs: thrown on every rank, with the same message, which says in what and on which
    /// ranks.</exception>
    public static void SameEverywhere(ICommunicator world, IReadOnlyDictionary<string, byte[]> contents)
    {
        var names = contents.Keys.Order(StringComparer.Ordinal).ToArray();
        // The list of names first: the ranks must agree on it before they can exchange as many digests.
        Compare(world, SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', names))), ["program"]);
        Compare(world, [.. names.SelectMany(name => SHA256.HashData(contents[name]))], names);
    }

    /// <summary>
    /// A step that may fail on some ranks and not on others (a file that one node does not have), after which all ranks know:
    /// one failure is thrown on every rank, in the words of the lowest rank that failed.
    /// </summary>
    public static T OnEveryRank<T>(ICommunicator world, Func<T> step)
    {
        T? result = default;
        Exception? failure = null;
        try
        {
            result = step();
        }
        catch (Exception e)
        {
            failure = e;
        }
        var outcomes = new byte[world.Size];
        world.AllGather([(byte)(failure == null ? 0 : failure is UserErrorException ? 1 : 2)], outcomes);
        var failed = Enumerable.Range(0, world.Size).Where(rank => outcomes[rank] != 0).ToArray();
        if (failed.Length == 0) return result!;

        var text = Encoding.UTF8.GetBytes(failure?.Message ?? "");
        Span<int> length = [text.Length];
        world.Broadcast(MemoryMarshal.AsBytes(length), failed[0]);
        if (world.Rank != failed[0]) text = new byte[length[0]];
        world.Broadcast(text, failed[0]);
        var message = Encoding.UTF8.GetString(text);
        if (failed.Length < world.Size) message = $"{message} ({Ranks(failed, NodeTopology.Of(world).Hosts)})";
        throw outcomes[failed[0]] == 1 ? new AgreedUserError(message, failure) : new AgreedCommunicationError(message, failure);
    }

    private static void Compare(ICommunicator world, byte[] mine, string[] names)
    {
        const int length = SHA256.HashSizeInBytes;
        var all = new byte[mine.Length * world.Size];
        world.AllGather(mine, all);
        bool Differs(int rank, int name) =>
            !all.AsSpan(rank * mine.Length + name * length, length).SequenceEqual(all.AsSpan(name * length, length));
        var differences = Enumerable.Range(0, names.Length)
            .Select(name => (Name: names[name], Ranks: Enumerable.Range(0, world.Size).Where(rank => Differs(rank, name)).ToArray()))
            .Where(difference => difference.Ranks.Length > 0).ToArray();
        if (differences.Length == 0) return;

        var hosts = NodeTopology.Of(world).Hosts;
        var found = differences.Select(d => $"the {d.Name} of {Ranks(d.Ranks, hosts)} is not that of rank 0 on {hosts[0]}");
        throw new AgreedUserError($"{string.Join("; ", found)}; give every rank the same files and options");
    }

    private static string Remedy(Launcher launcher, string family)
    {
        var launchers = family == "Open MPI" ? "mpiexec.openmpi or srun --mpi=pmix" : "mpiexec.mpich or srun --mpi=pmi2";
        var library = launcher.Kind is LauncherKind.OpenMpi or LauncherKind.SrunPmix ? "libmpi.so.40" : "libmpich.so.12";
        return $"start with {launchers}, or set {MpiLibrary.Variable} to the launcher's own library ({library})";
    }

    /// <summary>"rank 3 on node2", "ranks 2, 3, 5 on node2, node3".</summary>
    private static string Ranks(int[] ranks, IReadOnlyList<string> hosts)
    {
        var numbers = string.Join(", ", ranks.Select(rank => rank.ToString(CultureInfo.InvariantCulture)));
        return $"rank{(ranks.Length == 1 ? "" : "s")} {numbers} on {string.Join(", ", ranks.Select(rank => hosts[rank]).Distinct())}";
    }

    private sealed class AgreedUserError(string message, Exception? cause = null) : UserErrorException(message, cause), IAgreedFailure;

    private sealed class AgreedCommunicationError(string message, Exception? cause)
        : CommunicationException(message, cause), IAgreedFailure;
}
