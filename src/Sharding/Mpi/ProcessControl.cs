using System.Runtime.InteropServices;

namespace Harness.Sharding.Mpi;

/// <summary>What an MPI process needs of the C library and .NET does not offer.</summary>
internal static partial class ProcessControl
{
    private const int Now = 2;          // RTLD_NOW
    private const int Global = 0x100;   // RTLD_GLOBAL on Linux
    private const int SetTimerSlack = 29;   // PR_SET_TIMERSLACK
    private const nuint SlackNanoseconds = 1000;

    [ThreadStatic]
    private static bool t_wakesInTime;

    /// <summary>dlopen whose symbols later libraries see, as Open MPI's and UCX's own plug-ins expect. 0 on failure.</summary>
    public static unsafe nint LoadGlobally(string name, out string error)
    {
        // Through the main program: glibc moved dlopen from libdl.so.2 to libc.so.6 in 2.34.
        var program = NativeLibrary.GetMainProgramHandle();
        var open = (delegate* unmanaged<byte*, int, nint>)NativeLibrary.GetExport(program, "dlopen");
        var reason = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(program, "dlerror");
        var path = (byte*)Marshal.StringToCoTaskMemUTF8(name);
        try
        {
            var handle = open(path, Now | Global);
            error = handle == 0 ? Marshal.PtrToStringUTF8((nint)reason()) ?? "" : "";
            return handle;
        }
        finally
        {
            Marshal.FreeCoTaskMem((nint)path);
        }
    }

    /// <summary>Sets a variable that native libraries read with getenv, which .NET's own setter does not reach, unless it is set.</summary>
    public static void SetNativeDefault(string name, string value) => SetEnvironment(name, value, 0);

    /// <summary>Sleeps; .NET's own sleep knows no less than a millisecond.</summary>
    public static void Pause(int microseconds)
    {
        if (!t_wakesInTime)
        {
            // By default the kernel may add 50 µs to a sleep, more than the shortest here.
            _ = SetThreadOption(SetTimerSlack, SlackNanoseconds, 0, 0, 0);
            t_wakesInTime = true;
        }
        _ = SleepMicroseconds(microseconds);
    }

    /// <summary>Ends the process at once: no finalizers, no exit handlers of native libraries.</summary>
    [LibraryImport("libc", EntryPoint = "_exit")]
    public static partial void ExitAtOnce(int code);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    public static unsafe partial nint Read(int file, void* data, nint length);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    public static unsafe partial nint Write(int file, void* data, nint length);

    [LibraryImport("libc", EntryPoint = "usleep")]
    private static partial int SleepMicroseconds(int microseconds);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int SetThreadOption(int option, nuint a, nuint b, nuint c, nuint d);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
