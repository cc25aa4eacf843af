using System.Runtime.InteropServices;
using System.Text;
using Harness.Common;
using Harness.Sharding.Launch;

namespace Harness.Sharding.Mpi;

/// <summary>A loaded libmpi of either ABI: its entry points, and what it says of itself.</summary>
internal sealed unsafe class MpiLibrary
{
    /// <summary>Names the library to load, a path or a file name for the dynamic linker.</summary>
    public const string Variable = "HARNESS_MPI_LIBRARY";

    private static readonly string[] s_openMpi = ["libmpi.so.40"];

    /// <summary>libmpi.so.12 is MPICH's own name and Intel MPI's; Debian calls it libmpich.so.12.</summary>
    private static readonly string[] s_mpich = ["libmpich.so.12", "libmpi.so.12"];

    private readonly nint _handle;

    public readonly delegate* unmanaged<nint, nint, int, int*, int> InitThread;
    public readonly delegate* unmanaged<int> Finalize;
    public readonly delegate* unmanaged<nint, int, int> Abort;
    public readonly delegate* unmanaged<nint, int*, int> CommRank;
    public readonly delegate* unmanaged<nint, int*, int> CommSize;
    public readonly delegate* unmanaged<nint, int, int, nint*, int> CommSplit;
    public readonly delegate* unmanaged<nint*, int> CommFree;
    public readonly delegate* unmanaged<nint, nint, int> CommSetErrorHandler;
    public readonly delegate* unmanaged<nint, int> Barrier;
    public readonly delegate* unmanaged<void*, void*, int, nint, nint, nint, int> AllReduce;
    public readonly delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int> AllGather;
    public readonly delegate* unmanaged<void*, int, nint, int, nint, int> Broadcast;
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> SendLater;
    public readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> ReceiveLater;
    public readonly delegate* unmanaged<int, int, nint, int*, void*, int> ProbeNow;
    public readonly delegate* unmanaged<void*, nint, int*, int> GetCount;
    public readonly delegate* unmanaged<nint*, int*, void*, int> Test;
    private readonly delegate* unmanaged<int, byte*, int*, int> _errorString;

    private MpiLibrary(string name, nint handle)
    {
        Name = name;
        _handle = handle;
        var version = (delegate* unmanaged<byte*, int*, int>)Symbol("MPI_Get_library_version");
        var description = Text((text, length) => version(text, length));
        Version = description.Split('\n', 2)[0].Replace('\t', ' ').Trim();
        HangsInFinalize = description.Contains("ch4:ucx", StringComparison.Ordinal);
        Abi = NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out _) ? MpiAbi.OpenMpi(Symbol)
            : IsMpichAbi(Version) ? MpiAbi.Mpich
            : throw new UserErrorException(
                $"'{name}' is {Version}, whose binary interface is neither Open MPI's nor MPICH's; name another library in {Variable}");
        InitThread = (delegate* unmanaged<nint, nint, int, int*, int>)Symbol("MPI_Init_thread");
        Finalize = (delegate* unmanaged<int>)Symbol("MPI_Finalize");
        Abort = (delegate* unmanaged<nint, int, int>)Symbol("MPI_Abort");
        CommRank = (delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_rank");
        CommSize = (delegate* unmanaged<nint, int*, int>)Symbol("MPI_Comm_size");
        CommSplit = (delegate* unmanaged<nint, int, int, nint*, int>)Symbol("MPI_Comm_split");
        CommFree = (delegate* unmanaged<nint*, int>)Symbol("MPI_Comm_free");
        CommSetErrorHandler = (delegate* unmanaged<nint, nint, int>)Symbol("MPI_Comm_set_errhandler");
        Barrier = (delegate* unmanaged<nint, int>)Symbol("MPI_Barrier");
        AllReduce = (delegate* unmanaged<void*, void*, int, nint, nint, nint, int>)Symbol("MPI_Allreduce");
        AllGather = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int>)Symbol("MPI_Allgather");
        Broadcast = (delegate* unmanaged<void*, int, nint, int, nint, int>)Symbol("MPI_Bcast");
        SendLater = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Symbol("MPI_Isend");
        ReceiveLater = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Symbol("MPI_Irecv");
        ProbeNow = (delegate* unmanaged<int, int, nint, int*, void*, int>)Symbol("MPI_Iprobe");
        GetCount = (delegate* unmanaged<void*, nint, int*, int>)Symbol("MPI_Get_count");
        Test = (delegate* unmanaged<nint*, int*, void*, int>)Symbol("MPI_Test");
        _errorString = (delegate* unmanaged<int, byte*, int*, int>)Symbol("MPI_Error_string");
    }

    /// <summary>For bindings by another assembly: exports are looked up in this.</summary>
    public nint Handle => _handle;

    /// <summary>As it was asked for: a path or a file name.</summary>
    public string Name { get; }

    /// <summary>The first line of MPI_Get_library_version.</summary>
    public string Version { get; }
    public MpiAbi Abi { get; }

    /// <summary>MPICH's device over UCX: across nodes MPI_Finalize hangs in about half of the runs, one rank spinning.</summary>
    public bool HangsInFinalize { get; }

    /// <summary>Loads the library that was asked for, else the one that belongs to the launcher, else one that is installed.</summary>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="asked">A path or a file name; null takes <see cref="Variable"/>, if set.</param>
    /// <exception cref="UserErrorException">No such library, or one of an unknown ABI.</exception>
    public static MpiLibrary Load(Launcher launcher, string? asked)
    {
        asked ??= Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } variable ? variable : null;
        if (asked != null)
        {
            return TryLoad(asked, out var error)
                ?? throw new UserErrorException(
                    $"the MPI library '{asked}' cannot be loaded ({error}); name an installed one in {Variable}");
        }
        var candidates = launcher.Kind switch
        {
            LauncherKind.OpenMpi or LauncherKind.SrunPmix => s_openMpi,
            LauncherKind.Hydra or LauncherKind.SrunPmi2 => s_mpich,
            _ => [.. s_openMpi, .. s_mpich],
        };
        return candidates.Select(name => TryLoad(name, out _)).FirstOrDefault(l => l != null)
            ?? throw new UserErrorException($"no MPI library for {launcher.Label}: none of {string.Join(", ", candidates)} is installed; "
                + $"install it (Debian: libopenmpi3 or libmpich12) or name one in {Variable}");
    }

    /// <summary>
    /// Says what a library is without preparing it for use: its symbols stay its own, so that several can be looked at in one process.
    /// </summary>
    /// <param name="name">A path or a file name.</param>
    /// <returns>Null where it cannot be loaded.</returns>
    /// <exception cref="UserErrorException">It is no MPI library, or one of an unknown ABI.</exception>
    public static MpiLibrary? Inspect(string name) => NativeLibrary.TryLoad(name, out var handle) ? new MpiLibrary(name, handle) : null;

    /// <summary>The names under which libraries are looked for.</summary>
    public static IReadOnlyList<string> UsualNames { get; } = [.. s_openMpi, .. s_mpich];

    /// <summary>As <see cref="Load"/>, for a binding that knows only the MPICH ABI.</summary>
    /// <param name="launcher">Who started this process.</param>
    /// <param name="asked">A path or a file name; null takes <see cref="Variable"/>, if set.</param>
    /// <param name="refuse">Makes the refusal of what was found instead: Open MPI's launcher or library.</param>
    public static MpiLibrary LoadMpichAbi(Launcher launcher, string? asked, Func<string, UserErrorException> refuse)
    {
        if (launcher.Kind == LauncherKind.OpenMpi && launcher.Size != null)
            throw refuse($"{launcher.Size} rank{(launcher.Size == 1 ? " was" : "s were")} started by {launcher.Label}");
        asked ??= Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } variable ? variable : null;
        var library = asked != null ? Load(launcher, asked) : s_mpich.Select(name => TryLoad(name, out _)).FirstOrDefault(l => l != null)
            ?? Load(launcher, asked: null);
        return library.Abi.Family == MpiAbi.Mpich.Family ? library : throw refuse($"the MPI library {library.Name} is {library.Version}");
    }

    /// <exception cref="CommunicationException">The result is not MPI_SUCCESS; the message is MPI's own.</exception>
    public void Check(int result, string operation)
    {
        if (result != 0) Throw(result, operation);
    }

    private void Throw(int result, string operation) =>
        throw new CommunicationException($"{operation} failed: {Text((text, length) => _errorString(result, text, length))}");

    private nint Symbol(string name) => NativeLibrary.TryGetExport(_handle, name, out var address) ? address
        : throw new UserErrorException($"'{Name}' has no {name}: it is not an MPI library; name one in {Variable}");

    private static readonly string[] s_mpichAbi = ["MPICH", "Intel(R) MPI", "MVAPICH"];

    private static bool IsMpichAbi(string version) =>
        s_mpichAbi.Any(name => version.Contains(name, StringComparison.OrdinalIgnoreCase));

    private delegate int FillText(byte* text, int* length);

    private static string Text(FillText fill)
    {
        var text = stackalloc byte[MpiAbi.TextBytes];
        int length;
        return fill(text, &length) == 0 ? Encoding.UTF8.GetString(text, Math.Clamp(length, 0, MpiAbi.TextBytes)).TrimEnd('\0') : "unknown";
    }

    private static MpiLibrary? TryLoad(string name, out string error)
    {
        var handle = DynamicLinker.LoadGlobally(name, out error);
        return handle == 0 ? null : new MpiLibrary(name, handle);
    }
}
