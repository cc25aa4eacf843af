using System.Globalization;
using System.Net.NetworkInformation;

namespace Harness.Sharding.Launch;

/// <summary>A line of the table of processes.</summary>
/// <param name="Parent">0 at the top of what can be seen.</param>
/// <param name="Group">Its process group: a shell with job control gives each command one of its own.</param>
/// <param name="Name">Of the program, as the kernel cuts it: 15 characters.</param>
/// <param name="CommandLine">Its words; a title that the program has given itself is one.</param>
internal sealed record ProcessEntry(int Id, int Parent, int Group, string Name, IReadOnlyList<string> CommandLine)
{
    /// <summary>By proc(5); null where there is none, or none that this user may see.</summary>
    public static ProcessEntry? Of(int id)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/stat"));
            // The name in brackets may hold anything up to its closing one; behind it state, parent, group.
            var (open, close) = (stat.IndexOf('('), stat.LastIndexOf(')'));
            var fields = stat[(close + 2)..].Split(' ');
            var words = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{id}/cmdline"))
                .Split('\0', StringSplitOptions.RemoveEmptyEntries);
            return new(id, int.Parse(fields[1], CultureInfo.InvariantCulture), int.Parse(fields[2], CultureInfo.InvariantCulture),
                stat[(open + 1)..close], words);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException
            or ArgumentOutOfRangeException)
        { return null; }
    }
}

/// <summary>
/// Whether the launcher that the environment announces has started this process as a rank. Its variables outlive it: in a shell that
/// runs as a step's task (<c>srun --pty</c>), in jobs submitted from there, in environments that were saved. So the processes above this
/// one are looked at: its launcher's daemon, or a person's shell before it. Where neither is seen, what a rank would talk to must be
/// there.
/// </summary>
/// <param name="processes">Gives a process by its id.</param>
/// <param name="isInherited">Whether a descriptor is an open socket that was inherited.</param>
/// <param name="isListening">Whether somebody listens on a port of this machine.</param>
internal sealed class RankOrigin(Func<int, ProcessEntry?> processes, Func<int, bool> isInherited, Func<int, bool> isListening)
{
    private const string StepDaemon = "slurmstepd";

    private static readonly string[] s_daemons =
        [StepDaemon, "orted", "orterun", "prte", "mpiexec", "mpirun", "hydra_", "flux-", "pals", "mpispawn", "jsm"];
    private static readonly string[] s_shells = ["bash", "zsh", "fish", "sh", "dash", "ksh", "tcsh", "csh", "busybox", "pwsh"];

    public static RankOrigin Here { get; } = new(ProcessEntry.Of, IsInheritedSocket, IsListening);

    public bool IsRank(LauncherKind kind, IReadOnlyDictionary<string, string> environment, int self)
    {
        if (kind == LauncherKind.None) return false;
        if (processes(self) is not { } process) return !IsInteractive(kind, environment);
        var (isSlurm, isSeen) = (IsSlurm(kind), true);
        while (process.Parent > 0)
        {
            if (processes(process.Parent) is not { } parent)
            {
                isSeen = false;
                break;
            }
            if (isSlurm ? parent.Name == StepDaemon : s_daemons.Any(parent.Name.StartsWith)) return !isSlurm || IsStep(parent, environment);
            if (parent.Group != process.Group && IsPersonsShell(parent)) return false;
            process = parent;
        }
        // Daemons of root are hidden from users on some machines.
        return isSeen ? HasSomebodyToTalkTo(kind, environment) : !IsInteractive(kind, environment);
    }

    public static bool IsSlurm(LauncherKind kind) => kind is LauncherKind.Srun or LauncherKind.SrunPmi2 or LauncherKind.SrunPmix;

    /// <summary>What srun says of a step on a terminal: as a rule a person's shell is its task.</summary>
    public static bool IsInteractive(LauncherKind kind, IReadOnlyDictionary<string, string> environment) =>
        IsSlurm(kind) && environment.ContainsKey("SLURM_PTY_PORT");

    /// <summary>
    /// Slurm's daemon is titled <c>slurmstepd: [JOB.STEP]</c>: of another step than the environment's, the variables are left over.
    /// </summary>
    private static bool IsStep(ProcessEntry daemon, IReadOnlyDictionary<string, string> environment)
    {
        var title = string.Join(' ', daemon.CommandLine);
        var (from, to) = (title.IndexOf('['), title.IndexOf(']'));
        if (from < 0 || to < from || !environment.TryGetValue("SLURM_STEP_ID", out var step)) return true;
        var words = title[(from + 1)..to].Split('.');
        return words.Length != 2 || !int.TryParse(step, CultureInfo.InvariantCulture, out var number)
            || words[1] == number.ToString(CultureInfo.InvariantCulture)
            || (!int.TryParse(words[1], CultureInfo.InvariantCulture, out _) && words[1] is not ("batch" or "extern" or "interactive"));
    }

    /// <summary>A shell without a script or a command.</summary>
    private static bool IsPersonsShell(ProcessEntry process)
    {
        if (!s_shells.Contains(process.Name.TrimStart('-'))) return false;
        for (var i = 1; i < process.CommandLine.Count; i++)
        {
            var word = process.CommandLine[i];
            if (word is "--rcfile" or "--init-file" or "-o") i++;
            else if (word is not ['-' or '+', ..] || (word is ['-', not '-', ..] && word.Contains('c'))) return false;
        }
        return true;
    }

    private bool HasSomebodyToTalkTo(LauncherKind kind, IReadOnlyDictionary<string, string> environment)
    {
        if (kind is LauncherKind.Hydra or LauncherKind.SrunPmi2)
            return environment.TryGetValue("PMI_FD", out var text)
                ? int.TryParse(text, CultureInfo.InvariantCulture, out var descriptor) && isInherited(descriptor)
                : environment.ContainsKey("PMI_PORT");
        if (kind == LauncherKind.Srun) return false;
        // PMIx: namespace.rank;tcp4://127.0.0.1:PORT, one for each version of the protocol.
        var addresses = environment.Where(variable => variable.Key.StartsWith("PMIX_SERVER_URI", StringComparison.Ordinal))
            .Select(variable => variable.Value).ToList();
        return addresses.Any(address => !int.TryParse(address.Split(':')[^1], CultureInfo.InvariantCulture, out var port)
            || isListening(port));
    }

    private static bool IsInheritedSocket(int descriptor)
    {
        const int closeOnExecution = 0x80000;      // O_CLOEXEC; fdinfo gives flags in octal digits
        try
        {
            var name = descriptor.ToString(CultureInfo.InvariantCulture);
            var flags = File.ReadLines($"/proc/self/fdinfo/{name}")
                .First(line => line.StartsWith("flags:", StringComparison.Ordinal))["flags:".Length..].Trim();
            return new FileInfo($"/proc/self/fd/{name}").LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true
                && (Convert.ToInt64(flags, 8) & closeOnExecution) == 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException
            or FormatException)
        { return false; }
    }

    private static bool IsListening(int port)
    {
        try { return IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Any(listener => listener.Port == port); }
        catch (Exception e) when (e is NetworkInformationException or PlatformNotSupportedException or IOException) { return true; }
    }
}
