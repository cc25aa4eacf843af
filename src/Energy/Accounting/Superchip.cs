using System.Text.RegularExpressions;

namespace Harness.Energy.Accounting;

/// <summary>
/// Superchips, one module of a CPU and GPUs (GH200, GB200, GB300). Their energy counter covers the module, CPU and memory included,
/// where the power that NVML gives beside it is the GPU's: nvml.h, NVML_POWER_SCOPE_GPU and NVML_POWER_SCOPE_MODULE. A ratio
/// above 1 is then no disagreement but another scope.
/// </summary>
internal static partial class Superchip
{
    private const string ModuleCounter = "_module_counter";

    /// <summary>The counter of this domain covers more than the power: the module.</summary>
    /// <param name="ratio">Joules by the counter to joules by the power, in a window.</param>
    public static bool IsModuleScope(EnergyDomain domain, double? ratio, ValidityLimits limits) =>
        domain.Kind == DomainKind.Gpu && ratio > 1 + limits.CounterPowerTolerance && ratio <= limits.MaximumModuleRatio
            && Names().IsMatch(domain.Name);

    /// <summary>What <c>energy_source</c> says of such a counter.</summary>
    public static string ModuleSource(string meter) => $"{meter}{ModuleCounter}";

    public static bool IsModuleSource(string? source) => source?.EndsWith(ModuleCounter, StringComparison.Ordinal) == true;

    /// <summary>Grace with Hopper or Blackwell; the GB10 of small machines has no such counter.</summary>
    [GeneratedRegex(@"\bG[HB]\d{3}\b", RegexOptions.CultureInvariant)]
    private static partial Regex Names();
}
