using System.Collections;
using System.Globalization;

namespace Harness.Sharding.Launch;

/// <summary>Who started this process, and so which library's ranks it can join.</summary>
public enum LauncherKind
{
    /// <summary>Nobody: one process by itself.</summary>
    None,

    /// <summary>Open MPI's mpiexec, or another PMIx launcher.</summary>
    OpenMpi,

    /// <summary>Hydra: the mpiexec of MPICH, Intel MPI and MVAPICH.</summary>
    Hydra,
    SrunPmix,
    SrunPmi2,

    /// <summary>srun without a process manager: Slurm's default on many clusters.</summary>
    Srun,
}

/// <summary>
/// What the launcher announces in the environment, before MPI is loaded. Slurm's own variables count only where srun
/// started the rank itself: under an mpiexec, SLURM_PROCID and SLURM_LOCALID belong to the launcher's daemon.
/// </summary>
/// <param name="Kind">None where nothing announces a launcher.</param>
/// <param name="Size">Ranks that were started; null where the launcher does not say.</param>
/// <param name="Rank">This process's number among them; null where the launcher does not say.</param>
/// <param name="LocalRank">Its number on this node; null where the launcher does not say.</param>
public sealed record Launcher(LauncherKind Kind, int? Size = null, int? Rank = null, int? LocalRank = null)
{
    /// <summary>The launcher's name as a person types it.</summary>
    public string Label => Kind switch
    {
        LauncherKind.OpenMpi => "Open MPI's mpiexec",
        LauncherKind.Hydra => "MPICH's mpiexec (Hydra)",
        LauncherKind.SrunPmix => "srun --mpi=pmix",
        LauncherKind.SrunPmi2 => "srun --mpi=pmi2",
        LauncherKind.Srun => "srun without --mpi=pmix or --mpi=pmi2",
        _ => "no launcher",
    };

    /// <summary>Of this process: the launcher that started it as a rank (<see cref="RankOrigin"/>).</summary>
    public static Launcher Detect() =>
        Announced() is var announced && RankOrigin.Here.IsRank(announced.Kind, Variables(), Environment.ProcessId)
            ? announced : new(LauncherKind.None);

    /// <summary>What the environment of this process speaks of, also where that is left over from another.</summary>
    public static Launcher Announced() => Announced(Variables());

    /// <summary>
    /// As far as the environment alone tells: a step on a terminal (<c>srun --pty</c>) is a person's shell, which starts no ranks.
    /// </summary>
    public static Launcher Detect(IReadOnlyDictionary<string, string> environment) =>
        Announced(environment) is var announced && RankOrigin.IsInteractive(announced.Kind, environment)
            ? new(LauncherKind.None) : announced;

    private static Dictionary<string, string> Variables() => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
        .ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "");

    private static Launcher Announced(IReadOnlyDictionary<string, string> environment)
    {
        int? Number(string name) =>
            environment.TryGetValue(name, out var text) && int.TryParse(text, CultureInfo.InvariantCulture, out var n) && n >= 0 ? n : null;
        bool Has(string name) => environment.ContainsKey(name);

        if (Has("OMPI_COMM_WORLD_SIZE"))
            return new(LauncherKind.OpenMpi, Number("OMPI_COMM_WORLD_SIZE"), Number("OMPI_COMM_WORLD_RANK"),
                Number("OMPI_COMM_WORLD_LOCAL_RANK"));

        var step = Has("SLURM_STEP_ID");
        if (Has("PMI_RANK"))
        {
            var hydra = Has("HYDI_CONTROL_FD") || Has("MPI_LOCALRANKID") || !step;
            return hydra
                ? new(LauncherKind.Hydra, Number("PMI_SIZE"), Number("PMI_RANK"), Number("MPI_LOCALRANKID"))
                : new(LauncherKind.SrunPmi2, Number("PMI_SIZE"), Number("PMI_RANK"), Number("SLURM_LOCALID"));
        }
        if (step)
        {
            var kind = Has("PMIX_RANK") ? LauncherKind.SrunPmix : LauncherKind.Srun;
            return new(kind, Number("SLURM_STEP_NUM_TASKS"), Number("SLURM_PROCID"), Number("SLURM_LOCALID"));
        }
        return Has("PMIX_RANK") ? new(LauncherKind.OpenMpi, null, Number("PMIX_RANK")) : new(LauncherKind.None);
    }
}
