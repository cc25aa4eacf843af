using System.Linq.Expressions;
using Harness.Common;

namespace Harness.Configuration;

/// <summary>All settings, by their keys.</summary>
internal static class Settings
{
    /// <summary>In the order of <c>--print-config</c>; those of a section stand together.</summary>
    public static IReadOnlyList<Setting> All { get; } =
    [
        .. ModelOptions.Rows, .. ShardingOptions.Rows, .. RuntimeOptions.Rows, .. DatasetOptions.Rows, .. BatchOptions.Rows,
        .. GenerationOptions.Rows, .. EnergyOptions.Rows, .. RepeatsOptions.Rows, .. GoodputOptions.Rows, .. CarbonOptions.Rows,
        .. OutputOptions.Rows,
    ];

    private static readonly Dictionary<string, Setting> s_byKey = All.ToDictionary(row => row.Key, StringComparer.OrdinalIgnoreCase);

    private static readonly ILookup<string, Setting> s_bySection = All.ToLookup(row => row.Section.Name, StringComparer.OrdinalIgnoreCase);

    public static string Sections => string.Join(", ", s_bySection.Select(section => section.Key));

    public static bool IsSection(string name) => s_bySection.Contains(name);

    public static string NamesIn(string section) => string.Join(", ", s_bySection[section].Select(row => row.Property.Name));

    /// <summary>The row of a property: options => options.Batch.Size.</summary>
    public static Setting Of<T>(Expression<Func<RunOptions, T>> property) => All.First(row =>
        property.Body is MemberExpression { Expression: MemberExpression section } key
        && section.Member == row.Section && key.Member == row.Property);

    /// <summary>The row of a key, whatever its case.</summary>
    /// <exception cref="UserErrorException">There is none of this name.</exception>
    public static Setting Known(string key) => s_byKey.GetValueOrDefault(key) ?? throw Unknown(key);

    public static bool IsKnown(string key) => s_byKey.ContainsKey(key);

    /// <summary>What is wrong with a key that is not there, from its first part on.</summary>
    public static UserErrorException Unknown(string key)
    {
        var section = key.Split(':')[0];
        if (!IsSection(section)) return new($"configuration section {section} is unknown; there are {Sections}");
        return key.Contains(':')
            ? new($"configuration key {key} is unknown; {section} has {NamesIn(section)}")
            : new($"configuration section {section} is no section but a value; a section with {NamesIn(section)} is expected");
    }

    /// <summary>Of a path, what a cell's name takes: prompts of /data/prompts.jsonl.</summary>
    public static string Stem(string path) => Path.GetFileNameWithoutExtension(PlainName.LastPart(path));
}

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
