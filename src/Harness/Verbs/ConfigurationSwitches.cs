using System.CommandLine;
using Harness.Common;
using Harness.Configuration;

namespace Harness.Verbs;

/// <summary>The switches of a verb that works from the configuration tree: friendly ones, --config, and --Section:Key=value.</summary>
internal sealed class ConfigurationSwitches
{
    private readonly Option<string?> _config = new("--config")
    { HelpName = "FILE", Description = $"JSON file with sections {Settings.Sections}" };
    private readonly List<(Switch Switch, Option Option)> _switches = [];

    public ConfigurationSwitches(Command command, IReadOnlyList<Switch> switches)
    {
        foreach (var known in switches)
        {
            Option option = known.Value.Length == 0
                ? new Option<bool>(known.Name) { Description = known.Help }
                : new Option<string?>(known.Name) { Description = known.Help, HelpName = known.Value };
            _switches.Add((known, option));
            command.Options.Add(option);
        }
        command.Options.Add(_config);
        command.TreatUnmatchedTokensAsErrors = false;       // --Section:Key=value
    }

    public ResolvedConfiguration Resolve(ParseResult parsed)
    {
        var (file, values) = Given(parsed);
        return new ResolvedConfiguration(file, values);
    }

    /// <summary>The file and the keys that the command line sets.</summary>
    public (string? File, IReadOnlyDictionary<string, string?> Values) Given(ParseResult parsed)
    {
        var values = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var (known, option) in _switches)
            if (parsed.GetResult(option) is { Implicit: false })
                foreach (var setting in known.Settings) values[setting.Key] = Text(parsed, option);
        // A key by its full name says more than a switch, which may stand for several.
        foreach (var token in parsed.UnmatchedTokens)
        {
            var verb = parsed.CommandResult.Command.Name;
            var (key, value) = token.Split('=', 2) is [['-', '-', .. var name], var text] && name.Contains(':')
                ? (name, text)
                : throw new UserErrorException(
                    $"'{token}' is not an option of harness {verb}; see harness {verb} --help, or write --Section:Key=value");
            values[key] = value;
        }
        return (parsed.GetValue(_config), values);
    }

    private static string? Text(ParseResult parsed, Option option) =>
        option is Option<bool> flag ? (parsed.GetValue(flag) ? "true" : "false") : parsed.GetValue((Option<string?>)option);
}
