using System.Globalization;
using Harness.Common;

namespace Harness.Bench;

/// <summary>Pairs of <c>--name value</c>.</summary>
internal sealed class Options
{
    private readonly Dictionary<string, string> _values = [];

    public Options(string[] words)
    {
        for (var i = 0; i < words.Length; i += 2)
        {
            if (!words[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == words.Length)
                throw new UserErrorException($"'{words[i]}' is no option with a value; use --name value");
            _values[words[i][2..]] = words[i + 1];
        }
    }

    public string Text(string name, string otherwise) => _values.GetValueOrDefault(name, otherwise);

    public int Integer(string name, int otherwise) => Parse(name, Text(name, otherwise.ToString(CultureInfo.InvariantCulture)));

    public int[] Integers(string name, string otherwise) => [.. Text(name, otherwise).Split(',').Select(word => Parse(name, word))];

    private static int Parse(string name, string word) =>
        int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value > 0
            ? value
            : throw new UserErrorException($"--{name} '{word}' is no positive number");
}
