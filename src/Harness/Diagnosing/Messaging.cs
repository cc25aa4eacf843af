using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Sharding.Launch;
using Harness.Sharding.Mpi;

namespace Harness.Diagnosing;

/// <summary>What ranks could talk through.</summary>
internal static class Messaging
{
    public static IEnumerable<Finding> Launcher()
    {
        var launcher = Sharding.Launch.Launcher.Detect();
        yield return Finding.Ok("launcher", launcher.Kind == LauncherKind.None
            ? "none: this process was started by itself"
            : $"{launcher.Label}, rank {launcher.Rank?.ToString() ?? "unknown"} of {launcher.Size?.ToString() ?? "unknown"}");
    }

    public static IEnumerable<Finding> Mpi(IReadOnlyList<string> names)
    {
        var found = new List<Finding>();
        foreach (var name in names.Distinct())
        {
            try
            {
                if (MpiInstallation.Find(name) is { } library
                    && !found.Any(f => f.Found.EndsWith(library.Version, StringComparison.Ordinal)))
                    found.Add(Finding.Ok($"MPI {library.Name}", $"{library.Abi} ABI: {library.Version}"));
            }
            catch (UserErrorException e)
            {
                found.Add(Finding.FromMessage($"MPI {name}", FindingState.Missing, e.Message));
            }
        }
        return found.Count > 0 ? found
            : [Finding.Missing("MPI", $"none of {string.Join(", ", names)} is installed",
                $"for ranks that are processes install one (Debian: libopenmpi3 or libmpich12), or name one in {MpiInstallation.Variable}")];
    }

    /// <summary>MPI.NET binds the MPICH ABI alone.</summary>
    public static IEnumerable<Finding> MpiNet(IReadOnlyList<string> names)
    {
        var found = names.Distinct().Select(Find).FirstOrDefault(library => library?.Abi == "MPICH");
        yield return found != null ? Finding.Ok("communicator mpinet", $"MPI.NET over {found.Name}")
            : Finding.Missing("communicator mpinet", "no library of the MPICH ABI, the one that MPI.NET knows",
                "install MPICH (Debian: libmpich12), or use --communicator mpi");

        static MpiInstallation? Find(string name)
        {
            try
            {
                return MpiInstallation.Find(name);
            }
            catch (UserErrorException)
            {
                return null;    // its own finding says why
            }
        }
    }

    public static unsafe IEnumerable<Finding> Nccl(string library)
    {
        const string remedy = "install NCCL (it comes with PyTorch's CUDA packages; put its directory on LD_LIBRARY_PATH), or pass "
            + "tensors through the host with --link host";
        if (!NativeLibrary.TryLoad(library, out var handle))
            return [Finding.Missing("NCCL", $"{library} is not found or not loadable", remedy)];
        if (!NativeLibrary.TryGetExport(handle, "ncclGetVersion", out var export))
            return [Finding.Missing("NCCL", $"{library} has no ncclGetVersion: it is not NCCL", remedy)];
        int version;
        var result = ((delegate* unmanaged<int*, int>)export)(&version);
        // nccl.h: 10,000 a major version, 100 a minor one, since 2.9.
        return [result == 0 ? Finding.Ok("NCCL", $"{library}, version {version / 10_000}.{version / 100 % 100}.{version % 100}")
            : Finding.Missing("NCCL", $"{library}: ncclGetVersion gives the error {result}", remedy)];
    }
}
