using Harness.Common;

namespace Harness.Sharding.Mpi;

/// <summary>A libmpi of this machine as it describes itself, for people. Nothing is started.</summary>
/// <param name="Name">The file name or path that it was found under.</param>
/// <param name="Version">The first line of MPI_Get_library_version.</param>
/// <param name="Abi">Open MPI or MPICH: whose binary interface it has.</param>
public sealed record MpiInstallation(string Name, string Version, string Abi)
{
    /// <summary>The variable that names a library to take in place of the usual ones.</summary>
    public const string Variable = MpiLibrary.Variable;

    /// <summary>
    /// The names under which libraries are looked for, Open MPI's first; where <see cref="Variable"/> is set, its value before them.
    /// </summary>
    public static IReadOnlyList<string> Names =>
        Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } asked ? [asked, .. MpiLibrary.UsualNames] : MpiLibrary.UsualNames;

    /// <returns>Null where there is no such library.</returns>
    /// <exception cref="UserErrorException">It is no MPI library, or one of an unknown binary interface.</exception>
    public static MpiInstallation? Find(string name)
    {
        ProcessControl.SetNativeDefault("UCX_ERROR_SIGNALS", "");   // as MpiWorld.Run: UCX reads it when it is loaded
        return MpiLibrary.Inspect(name) is { } library ? new(name, library.Version, library.Abi.Family) : null;
    }
}
