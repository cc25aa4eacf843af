using System.Globalization;

namespace Harness.Energy.Nvml;

/// <summary>
/// The GPUs that CUDA shows to a process, in CUDA's order, from <c>CUDA_VISIBLE_DEVICES</c> (CUDA C++ Programming Guide,
/// "CUDA Environment Variables"): indices, GPU UUIDs or unambiguous beginnings of them, MIG UUIDs; the first invalid entry
/// hides itself and all that follow. Indices count the devices that this process may open, as in CUDA: NVML also counts
/// those that a job's cgroup denies it. They go in NVML's order, that of the PCI bus; on a node with unlike GPUs set
/// <c>CUDA_DEVICE_ORDER=PCI_BUS_ID</c> so that CUDA agrees.
/// </summary>
internal static class VisibleDevices
{
    public static List<NvmlDevice> Find(NvmlLibrary nvml, string? cudaVisibleDevices)
    {
        var all = Enumerable.Range(0, nvml.DeviceCount()).Select(i => ByIndex(nvml, i)).OfType<NvmlDevice>().ToList();
        if (cudaVisibleDevices == null) return all;
        var visible = new List<NvmlDevice>();
        foreach (var entry in cudaVisibleDevices.Split(',', StringSplitOptions.TrimEntries))
        {
            var device = Resolve(nvml, all, entry);
            if (device == null) break;
            visible.Add(device);
        }
        return visible;
    }

    private static NvmlDevice? Resolve(NvmlLibrary nvml, List<NvmlDevice> all, string entry)
    {
        if (int.TryParse(entry, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return index < all.Count ? all[index] : null;
        if (entry.StartsWith("MIG-", StringComparison.Ordinal)) return ParentOfSlice(nvml, entry);
        if (entry.Length <= "GPU-".Length) return null;
        var matches = all.Where(d => d.Uuid.StartsWith(entry, StringComparison.OrdinalIgnoreCase)).ToList();
        return matches.Count == 1 ? matches[0] : null;
    }

    /// <summary>
    /// A slice has no energy of its own: its GPU is read, and marked. Before driver 470 a slice was named <c>MIG-GPU-uuid/gi/ci</c>.
    /// </summary>
    private static unsafe NvmlDevice? ParentOfSlice(NvmlLibrary nvml, string entry)
    {
        if (entry.StartsWith("MIG-GPU-", StringComparison.Ordinal))
        {
            var uuid = entry["MIG-".Length..].Split('/')[0];
            return nvml.TryGetByUuid(uuid, out var old) == NvmlReturn.Success ? new NvmlDevice(nvml, old, isMigSlice: true) : null;
        }
        if (nvml.TryGetByUuid(entry, out var slice) != NvmlReturn.Success) return null;
        nint parent = 0;
        if (nvml.GetParentOfMigDevice == null || nvml.GetParentOfMigDevice(slice, &parent) != NvmlReturn.Success) return null;
        return new NvmlDevice(nvml, parent, isMigSlice: true);
    }

    private static NvmlDevice? ByIndex(NvmlLibrary nvml, int index) =>
        nvml.TryGetByIndex(index, out var handle) == NvmlReturn.Success ? new NvmlDevice(nvml, handle, isMigSlice: false) : null;
}
