using Harness.Configuration;

namespace Harness.Sweeping;

/// <summary>One combination of a grid's values: an ordinary run.</summary>
/// <param name="RunName">Output:Name of its first attempt.</param>
/// <param name="Suffix">What the run appends for its power setting: -250W.</param>
internal sealed record SweepCell(ResolvedConfiguration Configuration, string RunName, string Suffix)
{
    public RunOptions Options => Configuration.Options;

    /// <summary>Unique in the grid; the run directory of the first attempt.</summary>
    public string Name => RunName + Suffix;
}
