using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Configuration;

namespace Harness.Sweeping;

/// <summary>
/// Names of cells, of the values that vary: <c>llama-7b-tp2-pp1-b64-len256-alpaca</c>. The same grid gives the same names
/// everywhere, whatever the order of its keys.
/// </summary>
internal static partial class CellName
{
    private const int Longest = 120;

    /// <summary>One name a cell, no two alike, none that could be taken for another's second attempt (NAME-2).</summary>
    /// <param name="prefix">The study's own name; may be empty.</param>
    /// <param name="cells">Varying settings and values of each cell; the power setting's part of the name is not among them.</param>
    /// <param name="suffixes">What the run appends to the name: of the power setting, one a cell.</param>
    /// <param name="otherwise">The name where nothing varies and there is no prefix.</param>
    public static IReadOnlyList<string> For(string prefix, IReadOnlyList<IReadOnlyList<(Setting Setting, string Value)>> cells,
        IReadOnlyList<string> suffixes, string otherwise)
    {
        var names = cells.Select(cell => Of(prefix, cell, otherwise)).ToArray();
        var taken = names.Zip(suffixes, (name, suffix) => name + suffix).GroupBy(name => name, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(same => same.Key, same => same.Count(), StringComparer.OrdinalIgnoreCase);
        return [.. names.Select((name, i) => IsAmbiguous(name, suffixes[i]) ? $"{name}-{Hash(cells[i])}" : name)];

        bool IsAmbiguous(string name, string suffix) =>
            taken[name + suffix] > 1 || Shorter(name).Any(other => taken.ContainsKey(other + suffix));
    }

    private static string Of(string prefix, IReadOnlyList<(Setting Setting, string Value)> cell, string otherwise)
    {
        var parts = cell.OrderBy(value => value.Setting.InCellNames?.Place ?? int.MaxValue)
            .ThenBy(value => value.Setting.Key, StringComparer.Ordinal).Select(value => value.Setting.CellPart(value.Value));
        var name = string.Join('-', parts.Prepend(PlainName.Of(prefix)).Where(part => part.Length > 0));
        if (name.Length == 0) return otherwise;
        return name.Length <= Longest ? name : $"{name[..Longest].TrimEnd('-', '.')}-{Hash(cell)}";
    }

    /// <summary>The names that this one could be an attempt of: llama of llama-2.</summary>
    private static IEnumerable<string> Shorter(string name)
    {
        for (var match = Attempt().Match(name); match.Success; match = Attempt().Match(match.Groups[1].Value))
            yield return match.Groups[1].Value;
    }

    /// <summary>Of all that varies, so that it does not hang on the other cells.</summary>
    private static string Hash(IReadOnlyList<(Setting Setting, string Value)> cell)
    {
        var text = string.Join('\n', cell.Select(value => $"{value.Setting.Key}={value.Value}").Order(StringComparer.Ordinal));
        return "x" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..6];
    }

    [GeneratedRegex(@"^(.+)-\d+$")]
    private static partial Regex Attempt();
}
