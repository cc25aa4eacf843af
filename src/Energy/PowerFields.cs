namespace Harness.Energy;

/// <summary>The words for power fields in files and in <c>energy_source</c>.</summary>
public static class PowerFields
{
    public static string Name(PowerField field) => field switch
    {
        PowerField.Instant => "instant",
        PowerField.Average1s => "average_1s",
        _ => "unspecified",
    };

    /// <exception cref="FormatException">The word is not one of <see cref="Name"/>'s.</exception>
    public static PowerField Parse(string name) => name switch
    {
        "instant" => PowerField.Instant,
        "average_1s" => PowerField.Average1s,
        "unspecified" => PowerField.Unspecified,
        _ => throw new FormatException($"power field '{name}' is none of instant, average_1s, unspecified"),
    };
}
