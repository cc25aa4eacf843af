using System.Text.Json.Serialization;

namespace Harness.Energy;

/// <summary>What a domain's joules cover.</summary>
public enum DomainKind
{
    /// <summary>One GPU board, its memory included.</summary>
    Gpu,
    /// <summary>One CPU socket.</summary>
    Package,
    /// <summary>The memory of one CPU socket, which its package does not cover.</summary>
    Dram,
    /// <summary>A superchip: GPU, CPU and the memory of both.</summary>
    Module,
    /// <summary>A whole node at its supply: a PDU outlet, a wall meter, RAPL's platform domain. Covers the other kinds.</summary>
    Node,
}

/// <summary>
/// One thing whose energy can be read. <see cref="Host"/> and <see cref="Device"/> together identify it in the whole run,
/// whichever rank reads it.
/// </summary>
/// <param name="Device">The GPU's UUID, or e.g. <c>package-0</c>, <c>dram-0</c>, <c>node</c>; never an index of enumeration.</param>
/// <param name="Source">The meter that reads it: nvml, rapl, craypm, hwmon, perf, <see cref="Program"/>, <see cref="Recording"/>.</param>
/// <param name="Name">The model's name, for people; may be empty.</param>
public sealed record EnergyDomain(string Host, string Device, DomainKind Kind, string Source, string Name = "")
{
    internal const string Program = "command", Recording = "replay", CrayPm = "craypm";

    public string Key => $"{Host}/{Device}";

    /// <summary>The superchip of its host that a GPU is a part of; null for others, and where that is not known.</summary>
    public string? Module { get; init; }

    /// <summary>
    /// Whatever else runs on the machine's processors adds to its joules, and is there to be measured: not on a GPU, nor in a
    /// recording.
    /// </summary>
    [JsonIgnore] public bool FeelsProcessors => Kind != DomainKind.Gpu && Source != Recording;

    /// <summary>Its meter reads all of its kind that the host has.</summary>
    [JsonIgnore] public bool IsOneOfAll => Source == CrayPm;

    /// <summary>
    /// A reading bears the time at which its value was current; of others it bears the time of the look at a sensor that may have updated
    /// before.
    /// </summary>
    [JsonIgnore] public bool IsDatedAtItsSource => Source == Program;
}
