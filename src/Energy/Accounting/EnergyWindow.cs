using System.Text.Json.Serialization;

namespace Harness.Energy.Accounting;

/// <summary>The stages of a run, which are never mixed. Torn: work of a measured repeat that was given up when the run was cut off, and done again.</summary>
public enum WindowKind { Load, Warmup, Idle, Measured, Cooldown, Torn }

/// <summary>A stretch of time that joules are asked of afterwards: nothing but two timestamps on the run's clock.</summary>
/// <param name="Name">
/// Unique in a piece of a run: <c>load</c>, <c>warmup</c>, <c>idle</c>, <c>cooldown</c>, <c>cooldown-2</c>, <c>measured-1</c>,
/// <c>torn-1</c>.
/// </param>
/// <param name="Repeat">The number of a measured repeat, from 1; absent for other kinds.</param>
public sealed record EnergyWindow(
    [property: JsonPropertyName("window")] string Name,
    [property: JsonPropertyName("kind")] WindowKind Kind,
    [property: JsonPropertyName("start_s")] double StartSeconds,
    [property: JsonPropertyName("end_s")] double EndSeconds,
    [property: JsonPropertyName("repeat")] int? Repeat = null)
{
    [JsonIgnore]
    public double DurationSeconds => EndSeconds - StartSeconds;
}
