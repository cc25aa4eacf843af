using Harness.Common;
using Harness.Energy;

namespace Harness.Runs.Records;

/// <summary>The joules of one scope in a run's summary, of all that was read of it; null where nothing was.</summary>
public sealed record ScopeJoules
{
    [Column("{0}_energy_j", "J", "measured, of {0}, over the measured windows: what `total_energy_j` is of, where `energy_scope` says so; "
        + "else what stood beside it, and is in no other figure", Heading = "{0} (J)")]
    public double? Joules { get; init; }

    [Column("{0}_energy_per_response_j", "J/response", "the same per response", "joules ÷ completed", Heading = "{0} (J/response)")]
    public double? PerResponse { get; init; }

    public ScopeJoules Per(int responses) => this with { PerResponse = Ratio.Of(Joules, responses) };
}

/// <summary>
/// Joules of every scope that a run's meters read, side by side. Scopes hold one another (a node its GPUs), so that nobody may add them.
/// </summary>
public sealed record JoulesByScope
{
    private const int Extension = 9;

    [Columns("gpu", "gpu", "GPUs", Extension = Extension)] public ScopeJoules Gpu { get; init; } = new();
    [Columns("module", "module", "modules", Extension = Extension)] public ScopeJoules Module { get; init; } = new();
    [Columns("cpu", "cpu", "CPUs", Extension = Extension)] public ScopeJoules Cpu { get; init; } = new();
    [Columns("memory", "memory", "memory", Extension = Extension)] public ScopeJoules Memory { get; init; } = new();
    [Columns("node", "node", "nodes", Extension = Extension)] public ScopeJoules Node { get; init; } = new();

    [Column("beside_invalid_reasons", "", "why joules beside `total_energy_j` are not to be believed: `scope:code`, joined by semicolons, "
        + "with the codes of measurement.md; `valid` does not speak of them", Extension = Extension, IsOfOneRun = true)]
    public string? InvalidReasons { get; init; }

    public ScopeJoules Of(EnergyScope scope) => scope switch
    {
        EnergyScope.Gpu => Gpu,
        EnergyScope.Module => Module,
        EnergyScope.Cpu => Cpu,
        EnergyScope.Memory => Memory,
        _ => Node,
    };

    public static JoulesByScope From(Func<EnergyScope, double?> joules, string? invalidReasons) => new()
    {
        Gpu = new() { Joules = joules(EnergyScope.Gpu) },
        Module = new() { Joules = joules(EnergyScope.Module) },
        Cpu = new() { Joules = joules(EnergyScope.Cpu) },
        Memory = new() { Joules = joules(EnergyScope.Memory) },
        Node = new() { Joules = joules(EnergyScope.Node) },
        InvalidReasons = invalidReasons,
    };

    /// <summary>With what follows from these joules and the responses that they were spent on.</summary>
    public JoulesByScope Per(int responses) => this with
    {
        Gpu = Gpu.Per(responses),
        Module = Module.Per(responses),
        Cpu = Cpu.Per(responses),
        Memory = Memory.Per(responses),
        Node = Node.Per(responses),
    };
}
