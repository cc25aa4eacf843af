using System.Globalization;
using Harness.Common;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;

namespace Harness.Configuration;

/// <summary>
/// One tree from defaults, <c>--config FILE.json</c>, HARNESS_ environment and command line, later ones winning; knows
/// of every value where it came from.
/// </summary>
public sealed class ResolvedConfiguration
{
    private const string EnvironmentPrefix = "HARNESS_";
    private const string Environment = "environment";

    private readonly List<(string Source, IConfigurationProvider Provider)> _layers = [];
    private readonly IConfigurationRoot _root;

    /// <summary>The bound sections; Validate has passed.</summary>
    public RunOptions Options { get; }

    /// <param name="file">A JSON file, or null.</param>
    /// <param name="commandLine">Key and value of every switch that was given.</param>
    /// <exception cref="UserErrorException">An unknown key, or a value that its key does not take.</exception>
    public ResolvedConfiguration(string? file, IReadOnlyDictionary<string, string?> commandLine)
    {
        var builder = new ConfigurationBuilder();
        if (file != null) AddFile(builder, file);
        builder.AddEnvironmentVariables(EnvironmentPrefix);
        builder.Add(new MemoryConfigurationSource { InitialData = commandLine });
        _root = Build(builder, file);
        string[] sources = file == null ? [Environment, "command line"] : [file, Environment, "command line"];
        _layers.AddRange(sources.Zip(_root.Providers));
        foreach (var (key, type) in ConfigurationKeys.All) CheckValue(key, type);
        CheckForUnknownKeys();
        Options = new RunOptions();
        _root.Bind(Options);
        Validation.Check(Options);
    }

    /// <summary>The value that the environment gives a key; null where it gives none.</summary>
    internal static string? InEnvironment(string key) => new ConfigurationBuilder().AddEnvironmentVariables(EnvironmentPrefix).Build()[key];

    /// <summary>Whether a variable sets a key, as HARNESS_Batch__Size does.</summary>
    internal static bool IsSetting(string variable) =>
        variable.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase) && variable.Contains("__", StringComparison.Ordinal);

    /// <summary>Every key with its value in force and the layer that set it.</summary>
    public IEnumerable<(string Key, string Value, string Source)> Entries() =>
        from entry in ConfigurationKeys.All
        let value = _root[entry.Key]
        select value == null
            ? (entry.Key, Text(Default(entry.Key)), "default")
            : (entry.Key, value, _layers.Last(layer => layer.Provider.TryGet(entry.Key, out _)).Source);

    private static object? Default(string key)
    {
        var (section, name) = (key.Split(':')[0], key.Split(':')[1]);
        var options = typeof(RunOptions).GetProperty(section)!.GetValue(new RunOptions())!;
        return options.GetType().GetProperty(name)!.GetValue(options);
    }

    private static string Text(object? value) => value is bool flag ? (flag ? "true" : "false") : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    private void CheckValue(string key, Type type)
    {
        if (_root.GetSection(key).GetChildren().Any())
            throw new UserErrorException($"{key} is a list, which is a dimension of a sweep; a run takes one value, 'harness sweep' takes lists");
        // The binder would take a null for 0 or an empty text.
        if (_layers.Any(layer => layer.Provider.TryGet(key, out var set) && set == null))
            throw new UserErrorException($"{Validation.Named(key)} is null; leave the key out for its default");
        if (_root[key] is { } value && !ConfigurationKeys.Takes(type, value))
            throw new UserErrorException($"{Validation.Named(key)} is '{value}', but {Expected(type)} is expected");
    }

    private static string Expected(Type type) => (Nullable.GetUnderlyingType(type) ?? type).Name switch
    {
        nameof(Int32) => "a whole number",
        nameof(Int64) => "a whole number",
        nameof(UInt64) => "a whole number of at least 0",
        nameof(Boolean) => "true or false",
        _ => "a number",
    };

    private void CheckForUnknownKeys()
    {
        var known = ConfigurationKeys.All.Select(entry => entry.Key).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var section in _root.GetChildren())
        {
            var isSection = ConfigurationKeys.IsSection(section.Key);
            if (section.Value is { } value && isSection)
                throw new UserErrorException($"configuration section {section.Key} is '{value}', but a section with {ConfigurationKeys.NamesIn(section.Key)} is expected");
            // The environment alone may have HARNESS_ variables of other purposes.
            if (!isSection && (section.GetChildren().Any() || _layers.Any(layer => layer.Source != Environment && layer.Provider.TryGet(section.Key, out _))))
                throw ConfigurationKeys.Unknown(section.Key);
            foreach (var key in section.GetChildren())
                if (!known.Contains(key.Path)) throw ConfigurationKeys.Unknown(key.Path);
        }
    }

    private static void AddFile(ConfigurationBuilder builder, string file)
    {
        if (!File.Exists(file)) throw new UserErrorException($"configuration file '{file}' does not exist; --config takes a JSON file");
        builder.AddJsonFile(Path.GetFullPath(file), optional: false, reloadOnChange: false);
    }

    private static IConfigurationRoot Build(ConfigurationBuilder builder, string? file)
    {
        try { return builder.Build(); }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            throw new UserErrorException($"configuration file '{file}' is not valid JSON: {(e.InnerException ?? e).Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
