using Harness.Common;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;

namespace Harness.Configuration;

/// <summary>A setting with its value in force, as it was written, and the layer that set it.</summary>
internal sealed record Entry(Setting Setting, string Value, string Source)
{
    public string Key => Setting.Key;

    /// <summary>No layer sets it.</summary>
    public bool IsDefault => Source == Default;

    /// <summary>The source of what no layer sets.</summary>
    public const string Default = "default";
}

/// <summary>
/// One tree from defaults, <c>--config FILE.json</c>, HARNESS_ environment and command line, later ones winning; knows
/// of every value where it came from.
/// </summary>
internal sealed class ResolvedConfiguration
{
    private const string EnvironmentPrefix = "HARNESS_";
    private const string Environment = "environment";

    private readonly List<(string Source, IConfigurationProvider Provider)> _layers = [];
    private readonly IConfigurationRoot _root;

    /// <summary>The sections, each value checked, and all of them together.</summary>
    public RunOptions Options { get; } = new();

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
        foreach (var setting in Settings.All) Take(setting);
        CheckForUnknownKeys();
        Validation.Check(Options);
    }

    /// <summary>The value that the environment gives a key; null where it gives none.</summary>
    internal static string? InEnvironment(string key) => new ConfigurationBuilder().AddEnvironmentVariables(EnvironmentPrefix).Build()[key];

    /// <summary>Whether a variable sets a key, as HARNESS_Batch__Size does.</summary>
    internal static bool IsSetting(string variable) =>
        variable.StartsWith(EnvironmentPrefix, StringComparison.OrdinalIgnoreCase) && variable.Contains("__", StringComparison.Ordinal);

    /// <summary>Every setting, in the order of the table.</summary>
    public IEnumerable<Entry> Entries() =>
        from setting in Settings.All
        let value = _root[setting.Key]
        select value == null
            ? new Entry(setting, setting.Default, Entry.Default)
            : new Entry(setting, value, _layers.Last(layer => layer.Provider.TryGet(setting.Key, out _)).Source);

    private void Take(Setting setting)
    {
        var key = setting.Key;
        if (_root.GetSection(key).GetChildren().Any())
            throw new UserErrorException(
                $"{key} is a list, which is a dimension of a sweep; a run takes one value, 'harness sweep' takes lists");
        // A null is neither 0 nor an empty text.
        if (_layers.Any(layer => layer.Provider.TryGet(key, out var set) && set == null))
            throw new UserErrorException($"{setting.Named} is null; leave the key out for its default");
        if (_root[key] is { } value) setting.Set(Options, value);
    }

    private void CheckForUnknownKeys()
    {
        foreach (var section in _root.GetChildren())
        {
            var isSection = Settings.IsSection(section.Key);
            if (section.Value is { } value && isSection)
                throw new UserErrorException($"configuration section {section.Key} is '{value}', "
                    + $"but a section with {Settings.NamesIn(section.Key)} is expected");
            // The environment alone may have HARNESS_ variables of other purposes.
            if (!isSection && (section.GetChildren().Any() || IsSetElsewhere(section.Key))) throw Settings.Unknown(section.Key);
            foreach (var key in section.GetChildren())
                if (!Settings.IsKnown(key.Path)) throw Settings.Unknown(key.Path);
        }
    }

    private bool IsSetElsewhere(string key) => _layers.Any(layer => layer.Source != Environment && layer.Provider.TryGet(key, out _));

    private static void AddFile(ConfigurationBuilder builder, string file)
    {
        if (!File.Exists(file)) throw new UserErrorException($"configuration file '{file}' does not exist; --config takes a JSON file");
        RegularFile.Require(file);
        builder.AddJsonFile(Path.GetFullPath(file), optional: false, reloadOnChange: false);
    }

    private static IConfigurationRoot Build(ConfigurationBuilder builder, string? file)
    {
        try { return builder.Build(); }
        catch (Exception e) when (e is InvalidDataException or FormatException)
        {
            var why = (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
            throw new UserErrorException($"configuration file '{file}' is not valid JSON: {why}", e);
        }
    }
}
