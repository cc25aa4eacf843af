namespace Harness.Energy.Accounting;

/// <summary>
/// The energy figure of "From Words to Watts" (Samsi et al., arXiv 2310.03003), so that its method can be set beside ours:
/// power of the GPUs of rank 0's node, read every 100 ms and integrated over the job, times the number of nodes. It takes
/// all nodes to be alike, and does not use the cumulative counter.
/// </summary>
public static class PaperEnergy
{
    /// <param name="devices">All devices in the window, each once.</param>
    /// <param name="rank0Host">The host that rank 0 runs on.</param>
    /// <returns>J; null when that host has no GPU whose power could be integrated over the whole window.</returns>
    public static double? Joules(IEnumerable<DomainEnergy> devices, string rank0Host, int nodes)
    {
        var own = devices.Where(d => d.Kind == DomainKind.Gpu && d.Host == rank0Host).ToList();
        return EnergyAccount.Sum(own.Select(d => d.GpuPowerJoules ?? d.PowerJoules)) * nodes;
    }
}
