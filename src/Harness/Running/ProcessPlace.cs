namespace Harness.Running;

/// <summary>Where process ids mean the same: the boot and the namespace of process ids.</summary>
internal static class ProcessPlace
{
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>Empty where the system does not tell.</summary>
    public static string Here { get; } = File.Exists(BootIdFile) ? $"{File.ReadAllText(BootIdFile).Trim()}/{new FileInfo("/proc/self/ns/pid").LinkTarget}" : "";
}
