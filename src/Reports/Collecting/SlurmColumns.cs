using Harness.Common;

namespace Harness.Reports.Collecting;

/// <summary>What Slurm's accounting has of a run, beside the run's own joules.</summary>
public sealed record SlurmColumns
{
    [Column("slurm_energy_j", "J", "what Slurm counted for the run's job steps: whole nodes, from the launch of the ranks to their end, so "
        + "that loading, warm-up and pauses are in it; empty where it counted nothing", "`ConsumedEnergyRaw` of `sacct`")]
    public double? EnergyJoules { get; init; }

    [Column("slurm_energy_ratio", "", "Slurm's joules to ours: of other devices and a longer time than the measured windows, so that 1 "
        + "is not to be expected", "slurm_energy_j ÷ total_energy_j")]
    public double? Ratio { get; init; }
}
