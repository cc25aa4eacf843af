using System.Text.Json.Serialization;

namespace Harness.Energy.Sampling;

/// <summary>What sampling itself took, for the manifest.</summary>
/// <param name="Samples">Times the meter was read, all domains at once.</param>
/// <param name="MissedDeadlines">Deadlines that passed unread because the sampler was late by more than an interval.</param>
/// <param name="LatestSeconds">The greatest lateness of a reading behind its deadline.</param>
/// <param name="CpuSeconds">Processor time of the sampling thread; null where the system cannot tell.</param>
/// <param name="WallSeconds">From the thread's start to its latest sample.</param>
/// <param name="AllocatedBytes">Managed memory that the sampling thread allocated.</param>
public sealed record SamplerCost(
    [property: JsonPropertyName("samples")] long Samples,
    [property: JsonPropertyName("missed_deadlines")] long MissedDeadlines,
    [property: JsonPropertyName("latest_s")] double LatestSeconds,
    [property: JsonPropertyName("cpu_s")] double? CpuSeconds,
    [property: JsonPropertyName("wall_s")] double WallSeconds,
    [property: JsonPropertyName("allocated_bytes")] long AllocatedBytes)
{
    /// <summary>Share of one core.</summary>
    [JsonPropertyName("core_fraction")]
    public double? CoreFraction => WallSeconds > 0 ? CpuSeconds / WallSeconds : null;
}
