using System.Text.Json.Serialization;

namespace Harness.Energy.Accounting;

/// <summary>
/// The stages of a run, which are never mixed. Torn: work of a measured repeat that was given up when the run was cut off, and done again.
/// </summary>
public enum WindowKind { Load, Warmup, Idle, Measured, Cooldown, Torn }

/// <summary>
/// A stretch of time that joules are asked of afterwards: two timestamps on the run's clock, and in a repeat that was cut off a third for
/// each device whose replicas had come less far than others.
/// </summary>
/// <param name="Name">
/// Unique in a piece of a run: <c>load</c>, <c>warmup</c>, <c>idle</c>, <c>cooldown</c>, <c>cooldown-2</c>, <c>measured-1</c>,
/// <c>torn-1</c>.
/// </param>
/// <param name="Repeat">The number of a measured repeat, from 1; absent for other kinds.</param>
/// <param name="Cuts">
/// By a device's key, the second at which its part of a measured repeat ends, or its torn part begins; absent for devices
/// whose part is the whole window.
/// </param>
public sealed record EnergyWindow(
    [property: JsonPropertyName("window")] string Name,
    [property: JsonPropertyName("kind")] WindowKind Kind,
    [property: JsonPropertyName("start_s")] double StartSeconds,
    [property: JsonPropertyName("end_s")] double EndSeconds,
    [property: JsonPropertyName("repeat")] int? Repeat = null,
    [property: JsonPropertyName("device_cuts_s")] [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    IReadOnlyDictionary<string, double>? Cuts = null)
{
    [JsonIgnore]
    public double DurationSeconds => EndSeconds - StartSeconds;

    /// <summary>The part of it that counts for a device.</summary>
    public EnergyWindow PartOf(string device) =>
        Cuts == null ? this
        : !Cuts.TryGetValue(device, out var cut) ? this with { Cuts = null }
        : Kind == WindowKind.Torn ? this with { StartSeconds = cut, Cuts = null }
        : this with { EndSeconds = cut, Cuts = null };
}
