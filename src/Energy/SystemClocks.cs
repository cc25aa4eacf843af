using System.Runtime.InteropServices;

namespace Harness.Energy;

/// <summary>Clocks of the system by clock_gettime(2).</summary>
internal static partial class SystemClocks
{
    // Of Linux's uapi/linux/time.h.
    private const int Monotonic = 1, ThreadCpu = 3, BootTime = 7;

    /// <summary>A look at two clocks that took longer than this tells too little of their difference.</summary>
    private const double QuickSeconds = 100e-6;

    private const int Looks = 10;

    /// <summary>Processor time of the calling thread; absent where the system has no such clock.</summary>
    public static double? ThreadCpuSeconds => OperatingSystem.IsLinux() ? Read(ThreadCpu) : null;

    /// <summary>
    /// How far the clock that counts suspended time is ahead of the one that does not (CLOCK_BOOTTIME, CLOCK_MONOTONIC): for how long the
    /// machine has been suspended since its boot, to a fraction of a millisecond. Absent where the system does not tell.
    /// </summary>
    public static double? SuspendedSeconds
    {
        get
        {
            if (!OperatingSystem.IsLinux()) return null;
            (double Took, double Ahead)? best = null;
            for (var look = 0; look < Looks && !(best?.Took < QuickSeconds); look++)
            {
                if (Read(Monotonic) is not { } before || Read(BootTime) is not { } boot || Read(Monotonic) is not { } after) return null;
                if (best == null || after - before < best.Value.Took) best = (after - before, boot - (before + after) / 2);
            }
            return best?.Ahead;
        }
    }

    private static double? Read(int clock) => ReadClock(clock, out var time) == 0 ? time.Seconds + time.Nanoseconds * 1e-9 : null;

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ReadClock(int clock, out Timespec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
