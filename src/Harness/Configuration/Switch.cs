namespace Harness.Configuration;

/// <summary>A switch that people type daily, and the settings that it sets.</summary>
/// <param name="Value">What stands after it in the help; empty for a switch that stands alone.</param>
internal sealed record Switch(string Name, string Value, IReadOnlyList<Setting> Settings)
{
    public string Help => string.Join("; ", Settings.Select(row => row.Meaning));

    /// <summary>Of <c>run</c> and <c>sweep</c>.</summary>
    public static IReadOnlyList<Switch> All { get; } =
    [
        .. from row in Configuration.Settings.All
           where row.Switch != null
           group row by row.Switch!.Value into same
           select new Switch(same.Key.Name, same.Key.Value, [.. same]),
    ];

    /// <summary>Of every verb that loads a model.</summary>
    public static IReadOnlyList<Switch> Model { get; } = [.. All.Where(one => one.Settings[0].Scope == Scope.Model)];
}
