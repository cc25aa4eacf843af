using System.Buffers;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>Finds the leftmost occurrence of any of a few strings, the longest where several start.</summary>
internal sealed class FirstCharacterIndex
{
    private readonly Dictionary<char, string[]> byFirst;
    private readonly SearchValues<char> firsts;

    public FirstCharacterIndex(IEnumerable<string> strings)
    {
        byFirst = strings.Distinct().GroupBy(s => s[0]).ToDictionary(g => g.Key, g => g.OrderByDescending(s => s.Length).ToArray());
        firsts = SearchValues.Create([.. byFirst.Keys]);
    }

    /// <summary>The longest string that <paramref name="text"/> starts with, or null.</summary>
    public string? Match(ReadOnlySpan<char> text)
    {
        if (byFirst.Count == 0 || !byFirst.TryGetValue(text[0], out var candidates)) return null;
        foreach (var candidate in candidates)
            if (text.StartsWith(candidate, StringComparison.Ordinal)) return candidate;
        return null;
    }

    /// <summary>Where the leftmost one starts, or -1.</summary>
    public int IndexOf(ReadOnlySpan<char> text, out string? found)
    {
        found = null;
        if (byFirst.Count == 0) return -1;
        for (var at = 0; at < text.Length; at++)
        {
            var step = text[at..].IndexOfAny(firsts);
            if (step < 0) return -1;
            at += step;
            found = Match(text[at..]);
            if (found is not null) return at;
        }
        return -1;
    }
}
