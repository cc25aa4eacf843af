using System.Text.Json;
using System.Text.Json.Serialization;
using Harness.Common;

namespace Harness.Energy.Control;

/// <param name="PowerLimitMilliwatts">As it was; null for a device without a limit.</param>
/// <param name="SmClockLocked">A run has locked it: it is to be unlocked, since NVML does not tell how it was.</param>
internal sealed record RestoredDevice(
    [property: JsonPropertyName("uuid")] string Uuid,
    [property: JsonPropertyName("power_limit_mw")] uint? PowerLimitMilliwatts,
    [property: JsonPropertyName("sm_clock_locked"), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool SmClockLocked =
        false)
{
    public string Describe() => PowerLimitMilliwatts is { } limit ? FormattableString.Invariant($"{Uuid} to {limit * 1e-3} W") : Uuid;
}

/// <summary>The values devices had before a run changed them, as they lie on disk while they are changed.</summary>
internal sealed record RestoreState(
    [property: JsonPropertyName("host")] string Host,
    [property: JsonPropertyName("devices")] IReadOnlyList<RestoredDevice> Devices)
{
    public const string Pattern = "restore-rank*.json";

    /// <summary>
    /// On the disk when it returns, whole: written under another name, flushed through, linked to the first name that is free
    /// (<c>restore-rank0.json</c>, <c>restore-rank0-2.json</c>, …). A file that is there is never overwritten.
    /// </summary>
    /// <returns>Where it lies.</returns>
    /// <exception cref="UserErrorException">The storage does not take it.</exception>
    public string WriteBeside(string path)
    {
        var temporary = $"{path}.{Environment.ProcessId}.part";
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
            {
                JsonSerializer.Serialize(file, this);
                file.Flush(flushToDisk: true);
            }
            for (var number = 1; ; number++)
            {
                var name = number == 1 ? path : FormattableString.Invariant($"{path[..^".json".Length]}-{number}.json");
                if (File.Exists(name)) continue;
                try
                {
                    File.Move(temporary, name, overwrite: false);
                    return name;
                }
                catch (IOException) when (File.Exists(name))
                {
                    // another rank was faster by a moment
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path}: the GPUs' power limits cannot be written down ({e.Message.TrimEnd('.')}), so none was "
                + "set; "
                + "put that right, or choose another directory with --out", e);
        }
    }

    /// <exception cref="UserErrorException">The file is damaged.</exception>
    public static RestoreState Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RestoreState>(File.ReadAllBytes(path)) is { Devices: not null } state
                && state.Devices.All(device => device?.Uuid != null)
                ? state : throw new JsonException("it lacks its devices");
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path}: not a record of power limits ({e.Message}); "
                + "set them by hand with nvidia-smi -pl (nvidia-smi -q -d POWER shows the defaults), then delete the file", e);
        }
    }
}
