using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Harness.Tensors.Cpu;

/// <summary>What this process may use of the host's processor.</summary>
internal static partial class HostCpu
{
    private const int MaskBytes = 1024;

    private static readonly bool s_amd = Vendor() == "AuthenticAMD";

    /// <summary>Cores that this process may run on, by affinity mask and container quota; at least 1.</summary>
    public static int AllowedCores => Environment.ProcessorCount;

    /// <summary>The processor as its maker names it, or its architecture where the system does not tell.</summary>
    public static string Model { get; } = ReadModel();

    /// <summary>
    /// Whether the processor follows streams of addresses so well that asking for lines ahead only takes their place. Measured: so on
    /// AMD, where Zen 4 reads one stream a fifth faster than eight and Zen 3 eight a tenth faster than one; on Intel Sapphire Rapids
    /// one stream reaches 0.6 of what eight do, and asking ahead gives a tenth more.
    /// </summary>
    public static bool FollowsStreams { get; } = s_amd;

    /// <summary>
    /// Whether a multiply-add takes subnormal numbers as quickly as others. Measured: so on AMD Zen 3; Intel needs a hundred cycles more.
    /// </summary>
    public static bool MultipliesSubnormalsAsQuickly { get; } = s_amd;

    /// <summary>Numbers of the cores in the calling thread's affinity mask; empty where the system does not tell.</summary>
    public static unsafe int[] AffinityMask()
    {
        if (!OperatingSystem.IsLinux()) return [];
        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        if (sched_getaffinity(0, MaskBytes, mask) < 0) return [];
        var cores = new List<int>();
        for (var core = 0; core < MaskBytes * 8; core++)
            if ((mask[core / 8] >> (core % 8) & 1) != 0) cores.Add(core);
        return [.. cores];
    }

    /// <summary>Keeps the calling thread on these cores. Speed alone hangs on it, so a refusal is not an error.</summary>
    public static unsafe void PinCurrentThread(ReadOnlySpan<int> cores)
    {
        if (!OperatingSystem.IsLinux()) return;
        var mask = stackalloc byte[MaskBytes];
        new Span<byte>(mask, MaskBytes).Clear();
        foreach (var core in cores) mask[core / 8] |= (byte)(1 << (core % 8));
        _ = sched_setaffinity(0, MaskBytes, mask);
    }

    private static string Vendor()
    {
        if (!X86Base.IsSupported) return "";
        var (_, b, c, d) = X86Base.CpuId(0, 0);
        Span<int> registers = [b, d, c];
        return Encoding.ASCII.GetString(MemoryMarshal.AsBytes(registers));
    }

    private static string ReadModel()
    {
        try
        {
            foreach (var line in File.ReadLines("/proc/cpuinfo"))
                if (line.StartsWith("model name", StringComparison.Ordinal))
                    return line[(line.IndexOf(':') + 1)..].Trim();
        }
        catch (IOException)
        {
        }
        return RuntimeInformation.ProcessArchitecture.ToString();
    }

    [LibraryImport("libc")]
    private static unsafe partial int sched_getaffinity(int process, nuint bytes, byte* mask);

    [LibraryImport("libc")]
    private static unsafe partial int sched_setaffinity(int process, nuint bytes, byte* mask);
}
