using Harness.Common;

namespace Harness.Energy;

/// <summary>
/// What joules cover. Only those of one scope are compared with each other; some scopes hold others, and none is added to another.
/// </summary>
public enum EnergyScope
{
    /// <summary>GPUs, with their memory.</summary>
    Gpu,
    /// <summary>Superchips: GPUs, CPU and the memory of both.</summary>
    Module,
    /// <summary>CPU sockets.</summary>
    Cpu,
    /// <summary>Memory beside CPU sockets, which these do not cover.</summary>
    Memory,
    /// <summary>Whole nodes at their supply.</summary>
    Node,
}

/// <summary>The words for scopes in files and for people.</summary>
public static class EnergyScopes
{
    public static EnergyScope Of(DomainKind kind) => kind switch
    {
        DomainKind.Gpu => EnergyScope.Gpu,
        DomainKind.Module => EnergyScope.Module,
        DomainKind.Package => EnergyScope.Cpu,
        DomainKind.Dram => EnergyScope.Memory,
        _ => EnergyScope.Node,
    };

    /// <summary>The kind of a domain that covers so much.</summary>
    public static DomainKind KindOf(EnergyScope scope) => Enum.GetValues<DomainKind>().First(kind => Of(kind) == scope);

    /// <summary>By what joules of GPUs come from, as in <c>nvml_counter</c>; null where that does not tell.</summary>
    public static string? OfGpuSource(string? source) => source?.Split('+').Select(one => one.Split('_')).ToList() is { Count: > 0 } parts
        && parts.All(part => part[0] is "nvml" or "amdsmi")
        ? Join(parts.Select(part => part.Length > 1 && part[1] == "module" ? EnergyScope.Module : EnergyScope.Gpu)) : null;

    /// <summary>As in the column <c>energy_scope</c>: each once, in their order, joined by plus; null for none.</summary>
    public static string? Join(IEnumerable<EnergyScope> scopes) =>
        string.Join('+', scopes.Distinct().Order().Select(EnumWord.Of)) is { Length: > 0 } text ? text : null;
}
