using System.Buffers.Binary;
using System.Globalization;

namespace Harness.Energy.AmdSmi;

/// <summary>
/// What the kernel's driver says of a GPU in files (Documentation/gpu/amdgpu), which unlike the library's structures keep their form:
/// identity, memory, the metrics of generations before MI300, and who computes on it.
/// </summary>
internal sealed class AmdGpuFiles
{
    public const string DefaultDevices = "/sys/bus/pci/devices", DefaultComputing = "/sys/class/kfd/kfd";

    /// <summary>struct gpu_metrics_v1_3 (kgd_pp_interface.h): its size, and where its 64 bits of reasons are.</summary>
    private const int MetricsBytes = 120, ReasonsAt = 112;

    /// <summary>amdgpu_smu.h, SMU_THROTTLER_…: power and current below 32; then temperatures, regulators and "processor hot".</summary>
    private const int FirstOfHeat = 32, LastOfHeat = 47;

    private readonly string _device, _computing;

    /// <param name="pciAddress">As in <c>0000:c1:00.0</c>.</param>
    public AmdGpuFiles(string pciAddress, string devices, string computing)
    {
        (PciAddress, _device, _computing) = (pciAddress, Path.Combine(devices, pciAddress), computing);
        UniqueId = Text("unique_id").ToLowerInvariant();
        Name = Text("product_name");
        IsHalfOfTwo = Text("device") is "0x7408" or "0x740c";       // MI250X and MI250
    }

    public string PciAddress { get; }

    /// <summary>16 hexadecimal digits, as in ROCm's <c>GPU-…</c>; empty where the device has none.</summary>
    public string UniqueId { get; }

    public string Name { get; }

    /// <summary>One of the two dies of a package, of which one shows the power of both.</summary>
    public bool IsHalfOfTwo { get; }

    public long? MemoryUsedBytes => Number("mem_info_vram_used");
    public long? MemoryTotalBytes => Number("mem_info_vram_total");

    /// <summary>
    /// Bits of <see cref="ThrottleReasons"/> now, by <c>gpu_metrics</c> of the form 1.3 (MI100, MI200, Navi); null where it has another.
    /// </summary>
    public ulong? ThrottleReasonsNow()
    {
        Span<byte> metrics = stackalloc byte[MetricsBytes];
        try
        {
            using var file = File.OpenHandle(Path.Combine(_device, "gpu_metrics"));
            if (RandomAccess.Read(file, metrics, 0) != MetricsBytes) return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        if (BinaryPrimitives.ReadUInt16LittleEndian(metrics) != MetricsBytes || metrics[2] != 1 || metrics[3] != 3) return null;
        var reasons = BinaryPrimitives.ReadUInt64LittleEndian(metrics[ReasonsAt..]);
        if (reasons == ulong.MaxValue) return null;
        var heat = (reasons >> FirstOfHeat) & ((1UL << (LastOfHeat - FirstOfHeat + 1)) - 1);
        var other = reasons & ((1UL << FirstOfHeat) - 1);
        return (heat != 0 ? ThrottleReasons.HardwareThermalSlowdown : 0) | (other != 0 ? ThrottleReasons.SoftwarePowerCap : 0);
    }

    /// <summary>Processes that hold memory of the device, by the compute driver's list; null where there is none.</summary>
    public IReadOnlyList<int>? ComputeProcesses()
    {
        try
        {
            if (ComputingId() is not { } id) return null;
            return [.. Directory.GetDirectories(Path.Combine(_computing, "proc"))
                .Where(process => NumberIn(Path.Combine(process, $"vram_{id}")) > 0)
                .Select(process => int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    /// <summary>The number that the compute driver gives the device; its node's <c>location_id</c> is bus, device and function.</summary>
    private string? ComputingId()
    {
        var parts = PciAddress.Split(':', '.').Select(part => Convert.ToInt64(part, 16)).ToArray();
        var location = (parts[1] << 8) | (parts[2] << 3) | parts[3];
        foreach (var node in Directory.GetDirectories(Path.Combine(_computing, "topology", "nodes")))
        {
            var properties = File.ReadLines(Path.Combine(node, "properties")).Select(line => line.Split(' '))
                .Where(words => words.Length == 2).ToDictionary(words => words[0], words => words[1]);
            if (properties.GetValueOrDefault("location_id") == location.ToString(CultureInfo.InvariantCulture)
                && properties.GetValueOrDefault("domain", "0") == parts[0].ToString(CultureInfo.InvariantCulture))
                return File.ReadAllText(Path.Combine(node, "gpu_id")).Trim();
        }
        return null;
    }

    private long? Number(string file) => NumberIn(Path.Combine(_device, file));

    private static long? NumberIn(string path)
    {
        try
        {
            return long.TryParse(File.ReadAllText(path), NumberStyles.Integer, CultureInfo.InvariantCulture, out var number)
                ? number : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string Text(string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(_device, file)).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
