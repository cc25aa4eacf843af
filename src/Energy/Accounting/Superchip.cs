using System.Text.RegularExpressions;

namespace Harness.Energy.Accounting;

/// <summary>
/// Superchips, one module of a CPU and GPUs (GH200, GB200, GB300). Their energy counter covers the module, CPU and memory included, where
/// the power that NVML gives is the GPU's or the module's, by scope: nvml.h, NVML_POWER_SCOPE_GPU and NVML_POWER_SCOPE_MODULE. What the
/// counter covers no driver says; it is seen from which power it follows.
/// </summary>
internal static partial class Superchip
{
    /// <summary>What stands in <c>energy_source</c> behind the meter's name where joules are those of the module.</summary>
    public const string OfModule = "_module";

    /// <summary>What a GPU's counter covers, over all that was read.</summary>
    /// <param name="gpu">Integrated power of the GPU alone.</param>
    /// <param name="module">
    /// Of its module; null where it is not shown: then the name tells, and how much the counter is ahead of the GPU.
    /// </param>
    public static EnergyScope CounterScope(
        EnergyDomain domain, JoulesCurve counter, JoulesCurve? gpu, JoulesCurve? module, ValidityLimits limits)
    {
        var own = EnergyScopes.Of(domain.Kind);
        if (domain.Kind != DomainKind.Gpu || gpu == null) return own;
        var from = Math.Max(counter.FirstSeconds, Math.Max(gpu.FirstSeconds, module?.FirstSeconds ?? 0));
        var to = Math.Min(counter.LastSeconds, Math.Min(gpu.LastSeconds, module?.LastSeconds ?? double.MaxValue));
        if (counter.Between(from, to) is not { } joules || gpu.Between(from, to) is not { } ofGpu) return own;
        var isModules = module != null ? Math.Abs(joules - module.Between(from, to) ?? double.NaN) < Math.Abs(joules - ofGpu)
            : Names().IsMatch(domain.Name) && joules / ofGpu is var ratio
                && ratio > 1 + limits.CounterPowerTolerance && ratio <= limits.MaximumModuleRatio;
        return isModules ? EnergyScope.Module : own;
    }

    /// <summary>Whether joules of a GPU's domain are those of its module.</summary>
    public static bool IsModuleSource(string? source) => source?.Contains(OfModule + "_", StringComparison.Ordinal) == true;

    /// <summary>Grace with Hopper or Blackwell; the GB10 of small machines has no such counter.</summary>
    [GeneratedRegex(@"\bG[HB]\d{3}\b", RegexOptions.CultureInvariant)]
    private static partial Regex Names();
}
