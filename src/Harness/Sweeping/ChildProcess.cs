using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Harness.Common;
using Harness.Configuration;
using Harness.Running;

namespace Harness.Sweeping;

/// <summary>
/// This program as a process of its own, so that its crash, or the end of its memory, is not the sweep's. It writes to the
/// terminal itself.
/// </summary>
internal static partial class ChildProcess
{
    private const int SignalTerminate = 15, SignalUser1 = 10;

    /// <summary>
    /// A terminal's Ctrl-C reaches the child too, by itself; a second signal that overtook it would be taken for a second Ctrl-C.
    /// </summary>
    private static readonly TimeSpan s_untilPassedOn = TimeSpan.FromMilliseconds(300);

    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);

    /// <summary>Runs <c>harness ARGUMENTS</c> to its end; a request to stop is passed on, and the child ends in order.</summary>
    /// <param name="launcher">Words before the program; may be empty.</param>
    /// <returns>The exit code; of a process that a signal ended, 128 and the signal's number.</returns>
    public static int Run(IReadOnlyList<string> launcher, IReadOnlyList<string> arguments, StopSignal stop)
    {
        var words = (string[])[.. launcher, .. Program(), .. arguments];
        var start = new ProcessStartInfo(words[0], words[1..]) { UseShellExecute = false };
        // The cell's file says all.
        foreach (var name in start.Environment.Keys.Where(ResolvedConfiguration.IsSetting).ToArray()) start.Environment.Remove(name);
        using var process = Start(start);
        var passedOn = false;
        while (!process.WaitForExit(s_look))
        {
            if (!stop.Requested || passedOn) continue;
            // mpiexec and srun pass USR1 on to the ranks, and end them on TERM.
            if (!process.WaitForExit(s_untilPassedOn)) PassOn(process, launcher.Count > 0 ? SignalUser1 : SignalTerminate);
            passedOn = true;
        }
        return process.ExitCode;
    }

    /// <summary>How this process was started: an executable, or dotnet and the library.</summary>
    private static string[] Program()
    {
        var host = Environment.ProcessPath
            ?? throw new UserErrorException("this program's own path is not known, so that no cell can be started");
        return Path.GetFileNameWithoutExtension(host) == "dotnet" ? [host, Path.Combine(AppContext.BaseDirectory, "harness.dll")] : [host];
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new UserErrorException($"cannot start '{start.FileName}': {e.Message}; see --launcher", e);
        }
    }

    private static void PassOn(Process process, int signal)
    {
        // Windows knows no signals between processes; a console's Ctrl-C reaches all that are attached to it.
        if (!OperatingSystem.IsWindows()) _ = Kill(process.Id, signal);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
