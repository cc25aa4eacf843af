using System.Runtime.InteropServices;

namespace Harness.Sharding;

/// <summary>What an MPI process needs of the C library and .NET does not offer.</summary>
internal static partial class ProcessControl
{
    private const int SetTimerSlack = 29;   // PR_SET_TIMERSLACK
    private const nuint SlackNanoseconds = 1000;
    private const int TerminateSignal = 15;

    [ThreadStatic]
    private static bool s_wakesInTime;

    /// <summary>Sets a variable that native libraries read with getenv, which .NET's own setter does not reach, unless it is set.</summary>
    public static void SetNativeDefault(string name, string value) => SetEnvironment(name, value, 0);

    /// <summary>Sleeps; .NET's own sleep knows no less than a millisecond.</summary>
    public static void Pause(int microseconds)
    {
        if (!s_wakesInTime)
        {
            // By default the kernel may add 50 µs to a sleep, more than the shortest here.
            _ = SetThreadOption(SetTimerSlack, SlackNanoseconds, 0, 0, 0);
            s_wakesInTime = true;
        }
        _ = SleepMicroseconds(microseconds);
    }

    /// <summary>Ends the process at once: no finalizers, no exit handlers of native libraries.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitAtOnce(int code);

    /// <summary>Sends SIGTERM; to a process that is gone, nothing.</summary>
    public static void Terminate(int process) => _ = Kill(process, TerminateSignal);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static unsafe partial nint Read(int file, void* data, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static unsafe partial nint Write(int file, void* data, nint length);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int SleepMicroseconds(int microseconds);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int SetThreadOption(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
