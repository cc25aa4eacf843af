using Harness.Sharding;

namespace Harness.Running;

/// <summary>Where process ids mean the same: the boot and the namespace of process ids.</summary>
internal static class ProcessPlace
{
    /// <summary>Empty where the system does not tell.</summary>
    public static string Here { get; } =
        Machine.BootId.Length > 0 ? $"{Machine.BootId}/{new FileInfo("/proc/self/ns/pid").LinkTarget}" : "";
}
