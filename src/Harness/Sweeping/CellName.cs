using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Harness.Sweeping;

/// <summary>
/// Names of cells, of the values that vary: <c>llama-7b-tp2-pp1-b64-len256-alpaca</c>. The same grid gives the same names
/// everywhere, whatever the order of its keys.
/// </summary>
internal static partial class CellName
{
    private const int Longest = 120;

    /// <summary>Keys in the order of the name, with what stands before the value; other keys follow under their own names.</summary>
    private static readonly (string Key, string Before)[] s_parts =
    [
        ("Model:Path", ""), ("Model:Dtype", ""), ("Model:Tokenizer", "tok-"), ("Runtime:Backend", ""), ("Sharding:Tensor", "tp"), ("Sharding:Pipeline", "pp"),
        ("Sharding:Data", "dp"), ("Sharding:MicroBatches", "mb"), ("Sharding:Communicator", ""), ("Sharding:Link", "link-"), ("Sharding:CommDtype", "comm-"),
        ("Runtime:Threads", "thr"), ("Batch:Size", "b"), ("Batch:Schedule", ""), ("Batch:Concurrency", "c"), ("Batch:Rate", "rate"),
        ("Generation:MaxLength", "len"), ("Dataset:InputTokens", "in"), ("Generation:MaxNewTokens", "new"), ("Generation:Temperature", "temp"),
        ("Generation:TopK", "topk"), ("Generation:TopP", "topp"), ("Generation:RepetitionPenalty", "rep"), ("Generation:Seed", "seed"),
        ("Dataset:Name", ""), ("Dataset:Path", ""), ("Dataset:Limit", "n"), ("Dataset:Shots", "shots"), ("Dataset:Seed", "order"), ("Dataset:Task", ""),
    ];

    /// <summary>Settings whose value names a file or a directory: the last part of the path says which.</summary>
    private static readonly string[] s_paths = ["Model:Path", "Model:Tokenizer", "Dataset:Path", "Carbon:Intensity"];

    /// <summary>One name a cell, no two alike, none that could be taken for another's second attempt (NAME-2).</summary>
    /// <param name="prefix">The study's own name; may be empty.</param>
    /// <param name="cells">Varying keys and values of each cell; the power setting's part of the name is not among them.</param>
    /// <param name="suffixes">What the run appends to the name: of the power setting, one a cell.</param>
    /// <param name="otherwise">The name where nothing varies and there is no prefix.</param>
    public static IReadOnlyList<string> For(string prefix, IReadOnlyList<IReadOnlyList<(string Key, string Value)>> cells, IReadOnlyList<string> suffixes, string otherwise)
    {
        var names = cells.Select(cell => Of(prefix, cell, otherwise)).ToArray();
        var taken = names.Zip(suffixes, (name, suffix) => name + suffix).GroupBy(name => name, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(same => same.Key, same => same.Count(), StringComparer.OrdinalIgnoreCase);
        return [.. names.Select((name, i) => taken[name + suffixes[i]] > 1 || Shorter(name).Any(other => taken.ContainsKey(other + suffixes[i])) ? $"{name}-{Hash(cells[i])}" : name)];
    }

    /// <summary>Part of a model's path that says which it is; demo where there is none.</summary>
    public static string Model(string path) => path.Length == 0 ? "demo" : Plain(Last(path));

    private static string Of(string prefix, IReadOnlyList<(string Key, string Value)> cell, string otherwise)
    {
        var parts = cell.OrderBy(setting => Place(setting.Key)).ThenBy(setting => setting.Key, StringComparer.Ordinal).Select(setting => Part(setting.Key, setting.Value));
        var name = string.Join('-', parts.Prepend(Plain(prefix)).Where(part => part.Length > 0));
        if (name.Length == 0) return otherwise;
        return name.Length <= Longest ? name : $"{name[..Longest].TrimEnd('-', '.')}-{Hash(cell)}";
    }

    private static int Place(string key) => Array.FindIndex(s_parts, part => part.Key == key) is >= 0 and var place ? place : s_parts.Length;

    private static string Part(string key, string value)
    {
        if (key == "Model:Path") return Model(value);
        var text = Plain(s_paths.Contains(key) ? Path.GetFileNameWithoutExtension(Last(value)) : value);
        return Place(key) < s_parts.Length ? s_parts[Place(key)].Before + text : $"{key.Split(':')[1].ToLowerInvariant()}{(text.Length > 0 && char.IsAsciiDigit(text[0]) ? "" : "-")}{text}".TrimEnd('-');
    }

    private static string Last(string path) => path.TrimEnd('/', '\\').Split('/', '\\')[^1];

    /// <summary>Without anything that a file name or a shell would mind.</summary>
    public static string Plain(string text) => Unfit().Replace(text, "-").Trim('-', '.');

    /// <summary>The names that this one could be an attempt of: llama of llama-2.</summary>
    private static IEnumerable<string> Shorter(string name)
    {
        for (var match = Attempt().Match(name); match.Success; match = Attempt().Match(match.Groups[1].Value)) yield return match.Groups[1].Value;
    }

    /// <summary>Of all that varies, so that it does not hang on the other cells.</summary>
    private static string Hash(IReadOnlyList<(string Key, string Value)> cell)
    {
        var text = string.Join('\n', cell.Select(setting => $"{setting.Key}={setting.Value}").Order(StringComparer.Ordinal));
        return "x" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..6];
    }

    [GeneratedRegex("[^A-Za-z0-9._]+")]
    private static partial Regex Unfit();

    [GeneratedRegex(@"^(.+)-\d+$")]
    private static partial Regex Attempt();
}
