using System.Text.Json;
using Harness.Common;

namespace Harness.Models.Llama.Configuration;

/// <summary>What becomes of a key of a checkpoint's JSON files.</summary>
public enum KeyTreatment
{
    /// <summary>Read, and followed as transformers does.</summary>
    Used,

    /// <summary>Ends the program unless its value is switched off (null, false, empty) or one of those that are allowed.</summary>
    Refused,

    /// <summary>Changes no token and no logit; nothing is said.</summary>
    Harmless,

    /// <summary>Not followed, and said so in a line.</summary>
    Named,
}

/// <param name="Reason">Why, in words that fit behind a semicolon.</param>
/// <param name="Allowed">Values that a refused key may have all the same, as JSON writes them, without quotation marks.</param>
public sealed record KeyRule(string Key, KeyTreatment Treatment, string Reason, params string[] Allowed);

/// <summary>
/// The keys of one file that are known, each a row. A key that is not known is named in a line, or refused where a part of its name
/// says that it belongs to the arithmetic.
/// </summary>
/// <param name="File">Name of the file, or of its section.</param>
/// <param name="Arithmetic">Parts of names, in small letters; an empty one takes every name.</param>
public sealed record KeyRules(string File, IReadOnlyList<KeyRule> Rules, IReadOnlyList<string> Arithmetic)
{
    private readonly Dictionary<string, KeyRule> _byKey = Rules.ToDictionary(rule => rule.Key);

    /// <summary>A line for each reason for which keys are not followed, naming them.</summary>
    /// <param name="source">The file, or its section, for messages.</param>
    /// <exception cref="UserErrorException">A key asks for something that is not done here.</exception>
    public IReadOnlyList<string> Check(JsonElement root, string source)
    {
        if (root.ValueKind != JsonValueKind.Object) return [];
        var named = new List<(string Key, string Reason)>();
        foreach (var (key, value) in root.EnumerateObject().Select(property => (property.Name, property.Value)))
        {
            if (IsOff(value)) continue;
            switch (_byKey.GetValueOrDefault(key))
            {
                case { Treatment: KeyTreatment.Refused } rule when !rule.Allowed.Contains(value.ToString()):
                    throw Refusal(source, key, value, rule.Reason);
                case { Treatment: KeyTreatment.Named } rule when !IsNeutral(value):
                    named.Add((key, rule.Reason));
                    break;
                case null when Arithmetic.Any(part => key.Contains(part, StringComparison.OrdinalIgnoreCase)):
                    if (!IsNeutral(value)) throw Refusal(source, key, value, "its name belongs to what a model computes, "
                        + "and nothing here reads it");
                    break;
                case null:
                    named.Add((key, "not known here"));
                    break;
            }
        }
        return [.. named.GroupBy(key => key.Reason).Select(keys => $"{source}: not followed: "
            + $"{string.Join(", ", keys.Select(key => key.Key))}; {keys.Key}")];
    }

    private static UserErrorException Refusal(string source, string key, JsonElement value, string reason)
    {
        var shown = value.ToString().ReplaceLineEndings(" ");
        return new($"{source}: {key} = {(shown.Length > 80 ? shown[..80] + "…" : shown)} cannot be honoured; {reason}");
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => value.GetPropertyCount() == 0,
        JsonValueKind.String => value.ValueEquals(""),
        _ => false,
    };

    /// <summary>Numbers that leave a sum or a product as it is.</summary>
    private static bool IsNeutral(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.GetDouble() is 0 or 1;
}
