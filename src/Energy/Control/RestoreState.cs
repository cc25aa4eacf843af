using System.Text.Json;
using System.Text.Json.Serialization;

namespace Harness.Energy.Control;

/// <param name="PowerLimitMilliwatts">As it was; null for a device without a limit.</param>
internal sealed record RestoredDevice(
    [property: JsonPropertyName("uuid")] string Uuid,
    [property: JsonPropertyName("power_limit_mw")] uint? PowerLimitMilliwatts)
{
    public string Describe() => PowerLimitMilliwatts is { } limit ? FormattableString.Invariant($"{Uuid} to {limit * 1e-3} W") : Uuid;
}

/// <summary>The values devices had before a run changed them, as they lie on disk while they are changed.</summary>
internal sealed record RestoreState(
    [property: JsonPropertyName("host")] string Host,
    [property: JsonPropertyName("devices")] IReadOnlyList<RestoredDevice> Devices)
{
    /// <summary>On the disk when it returns, whole: written under another name, flushed through, renamed.</summary>
    public void Write(string path)
    {
        var temporary = path + ".part";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(file, this);
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }

    /// <exception cref="EnergyException">The file is damaged.</exception>
    public static RestoreState Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RestoreState>(File.ReadAllBytes(path)) ?? throw new JsonException("it is empty");
        }
        catch (JsonException e)
        {
            throw new EnergyException($"{path}: not a record of power limits ({e.Message}); set them by hand with nvidia-smi -pl", e);
        }
    }
}
