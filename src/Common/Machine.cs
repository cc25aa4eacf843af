namespace Harness.Common;

/// <summary>What tells one machine from another: the boot that it runs, which its containers share whatever they are called.</summary>
public static class Machine
{
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";

    /// <summary>Of random(4); empty where the system has none.</summary>
    public static string BootId { get; } = File.Exists(BootIdFile) ? File.ReadAllText(BootIdFile).Trim() : "";

    /// <summary>Where process ids mean the same: the boot and the namespace of process ids; empty where the system does not tell.</summary>
    public static string ProcessPlace { get; } = BootId.Length > 0 ? $"{BootId}/{new FileInfo("/proc/self/ns/pid").LinkTarget}" : "";
}
