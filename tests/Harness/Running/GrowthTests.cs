using System.Text.Json;
using Harness.Bench;
using Harness.Runs;

namespace Harness.Tests.Running;

/// <summary>What rank 0 does with the records of all ranks grows with them: four times as many ranks and prompts cost four times.</summary>
internal sealed class GrowthTests
{
    private const int Few = 32, Many = 4 * Few, PromptsPerRank = 4, Samples = 60;

    /// <summary>The record of a growth in proportion; a growth with the square would show 16.</summary>
    private const double Proportion = 4, Slack = 1.15;

    [Test]
    public void WhatIsAllocatedGrowsWithTheRecords()
    {
        using var scratch = new ScratchDirectory();
        Measure(scratch, "warm", Few);
        var (few, many) = (Measure(scratch, "few", Few), Measure(scratch, "many", Many));
        foreach (var (stage, allocated) in many)
            Assert.That(allocated, Is.LessThan(Slack * Proportion * few[stage]), $"{stage}: {few[stage]:N0} and {allocated:N0} bytes");
    }

    private static Dictionary<string, double> Measure(ScratchDirectory scratch, string name, int ranks)
    {
        var scripted = new ScriptedRanks(ranks, ranks * PromptsPerRank, Samples, scratch[name]);
        var summary = scripted.Run();
        // The offset and drift of other nodes' clocks are undone, and each device counts once.
        Assert.That(summary.Energy.Total, Is.EqualTo(scripted.ScriptedJoules).Within(0.01).Percent);
        Assert.That(summary.Energy.Prefill + summary.Energy.Decode + summary.Energy.Unattributed,
            Is.EqualTo(summary.Energy.Total).Within(1e-6).Percent);
        // A rank's clock is off by a millisecond a second, and so are the seconds that it counted.
        var phases = JsonDocument.Parse(File.ReadAllText(RunFile.Energy.In(scratch[name, "run"]))).RootElement.GetProperty("phases");
        Assert.That(phases.GetProperty("communication_j").GetDouble(), Is.EqualTo(0.3 * scripted.ScriptedJoules).Within(0.2).Percent);
        var costs = scripted.Costs.ToDictionary(cost => cost.Stage, cost => (double)cost.AllocatedBytes);
        costs["files"] = scripted.FileBytes;
        return costs;
    }
}
