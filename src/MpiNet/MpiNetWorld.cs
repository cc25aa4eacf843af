using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Sharding;
using Harness.Sharding.Launch;
using Harness.Sharding.Mpi;
using Harness.Sharding.Waits;
using Harness.Sharding.World;
using MPI;

namespace Harness.MpiNet;

/// <summary>
/// libmpi by way of the package MPI.NET 1.4.0. Its imports name <c>msmpi.dll</c> and its constants are those of Microsoft MPI,
/// which are MPICH's but for C's long: handles are integers of the same values, a status holds the same five. So on Linux it works with
/// every library of the MPICH ABI (MPICH, Intel MPI, Cray MPICH, MVAPICH), and cannot with Open MPI, whose handles are pointers.
/// </summary>
public sealed class MpiNetWorld : IWorldFactory
{
    private static readonly HashSet<string> s_imports = ["msmpi.dll", "msmpi"];

    public string Name => EnumWord.Of(CommunicatorKind.MpiNet);

    public void Run(Launcher launcher, int threads, string? library, Action<ICommunicator> body, Func<Exception, int> fail) =>
        MpiWorld.Run(launcher, threads, () => MpiLibrary.LoadMpichAbi(launcher, library, Refuse), Join, body, fail);

    private static UserErrorException Refuse(string found) =>
        new($"{found}, and MPI.NET knows only the binary interface of MPICH; use --communicator mpi, which knows both, or start with an "
            + "mpiexec of MPICH");

    private static (ICommunicator World, Action Drain) Join(MpiLibrary library, CoreShortage shortage)
    {
        NativeLibrary.SetDllImportResolver(typeof(MPI.Environment).Assembly,
            (name, _, _) => s_imports.Contains(name) ? library.Handle : 0);
        string[]? arguments = null;
        // Never disposed of: MpiWorld ends MPI, since some builds of MPICH hang there.
        _ = new MPI.Environment(ref arguments, Threading.Serialized);
        var calls = new PendingRequests(MPI.Environment.Threading >= Threading.Serialized, shortage);
        return (new MpiNetCommunicator(library, calls, shortage, Communicator.world, patient: false), () => Leave(calls));
    }

    /// <summary>MPI.NET makes datatypes that it never frees, of which MPICH complains on standard error when it ends.</summary>
    private static void Leave(PendingRequests calls)
    {
        calls.Drain();
        foreach (var type in (Type[])[typeof(nint), typeof(nuint), typeof(decimal)])
        {
            var made = DatatypeCache.GetDatatype(type);
            _ = Unsafe.MPI_Type_free(ref made);
        }
    }
}
