using System.ComponentModel;
using System.Reflection;
using Harness.Common;

namespace Harness.Configuration;

/// <summary>Every option there is, by its key: Section:Key.</summary>
internal static class ConfigurationKeys
{
    public static IReadOnlyList<(string Key, Type Type)> All { get; } =
    [
        .. from section in typeof(RunOptions).GetProperties()
           from key in section.PropertyType.GetProperties()
           where key.CanWrite
           select ($"{section.Name}:{key.Name}", key.PropertyType),
    ];

    public static string Sections => string.Join(", ", typeof(RunOptions).GetProperties().Select(p => p.Name));

    public static bool IsSection(string name) => SectionNamed(name) != null;

    /// <summary>The key as the options spell it, whatever its case was.</summary>
    /// <exception cref="UserErrorException">There is none of this name.</exception>
    public static string Known(string key) =>
        All.FirstOrDefault(known => known.Key.Equals(key, StringComparison.OrdinalIgnoreCase)).Key ?? throw Unknown(key);

    /// <summary>What is wrong with a key that is not there, from its first part on.</summary>
    public static UserErrorException Unknown(string key)
    {
        var section = key.Split(':')[0];
        if (!IsSection(section)) return new($"configuration section {section} is unknown; there are {Sections}");
        return key.Contains(':')
            ? new($"configuration key {key} is unknown; {section} has {NamesIn(section)}")
            : new($"configuration section {section} is no section but a value; a section with {NamesIn(section)} is expected");
    }

    public static string NamesIn(string section) =>
        string.Join(", ", SectionNamed(section)!.PropertyType.GetProperties().Where(p => p.CanWrite).Select(p => p.Name));

    /// <summary>Whether this text is a value of the type.</summary>
    public static bool Takes(Type type, string text)
    {
        try
        {
            TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text);
            return true;
        }
        catch (Exception e) when (e is FormatException or ArgumentException or NotSupportedException or OverflowException)
        {
            return false;
        }
    }

    private static PropertyInfo? SectionNamed(string name) => typeof(RunOptions).GetProperty(name, BindingFlags.IgnoreCase | BindingFlags.Public | BindingFlags.Instance);
}
