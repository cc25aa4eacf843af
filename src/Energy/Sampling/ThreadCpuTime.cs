using System.Runtime.InteropServices;

namespace Harness.Energy.Sampling;

/// <summary>Processor time of the calling thread, from clock_gettime(2); absent where the system has no such clock.</summary>
internal static partial class ThreadCpuTime
{
    private const int ThreadCpuClock = 3;   // CLOCK_THREAD_CPUTIME_ID in Linux's uapi/linux/time.h

    public static double? Seconds()
    {
        if (!OperatingSystem.IsLinux()) return null;
        return ReadClock(ThreadCpuClock, out var time) == 0 ? time.Seconds + time.Nanoseconds * 1e-9 : null;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ReadClock(int clock, out Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
