using System.Globalization;
using System.Text;

namespace Harness.Sharding.Launch;

/// <summary>What a rank has to tell Hydra itself: lines of text over an inherited socket (PMI version 1, MPICH's simple_pmi.c).</summary>
internal static unsafe class ProcessManager
{
    /// <summary>
    /// This rank ends as it should. Hydra kills the other ranks, and fails the job, when the socket of a rank closes
    /// without this, which MPI_Finalize does last.
    /// </summary>
    public static void Farewell(Launcher launcher)
    {
        if (!Tell(launcher, "cmd=finalize\n", out var socket)) return;
        byte answer = 0;
        while (answer != (byte)'\n' && ProcessControl.Read(socket, &answer, 1) == 1) { }
    }

    /// <summary>End every rank, from any thread and without MPI: a rank that just dies takes only those of its own node with it.</summary>
    public static void Abort(Launcher launcher, int exitCode) =>
        Tell(launcher, FormattableString.Invariant($"cmd=abort exitcode={exitCode}\n"), out _);

    /// <summary>Whether there is one that hears.</summary>
    public static bool Listens(Launcher launcher) => launcher.Kind == LauncherKind.Hydra && Socket() != null;

    private static int? Socket() =>
        int.TryParse(Environment.GetEnvironmentVariable("PMI_FD"), CultureInfo.InvariantCulture, out var socket) ? socket : null;

    private static bool Tell(Launcher launcher, string line, out int socket)
    {
        socket = Socket() ?? -1;
        if (!Listens(launcher)) return false;
        var bytes = Encoding.ASCII.GetBytes(line);
        fixed (byte* p = bytes) return ProcessControl.Write(socket, p, bytes.Length) == bytes.Length;
    }
}
