using System.Globalization;

namespace Harness.Sharding.Mpi;

/// <summary>The launcher's side of MPICH: lines of text over an inherited socket (PMI version 1, MPICH's simple_pmi.c).</summary>
internal static unsafe class ProcessManager
{
    /// <summary>
    /// Tells Hydra that this rank ends as it should. Hydra kills the other ranks, and fails the job, when the
    /// socket of a rank closes without this, which MPI_Finalize does last.
    /// </summary>
    public static void Farewell()
    {
        if (!int.TryParse(Environment.GetEnvironmentVariable("PMI_FD"), CultureInfo.InvariantCulture, out var socket)) return;
        var line = "cmd=finalize\n"u8;
        fixed (byte* p = line)
            if (ProcessControl.Write(socket, p, line.Length) != line.Length) return;
        byte answer = 0;
        while (answer != (byte)'\n' && ProcessControl.Read(socket, &answer, 1) == 1) { }
    }
}
