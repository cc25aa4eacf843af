using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// Unicode's normalization form C (UAX #15), which the Qwen family's tokenizers begin with. The runtime's own needs ICU, and leaves texts
/// as they are where there is none.
/// </summary>
internal static class ComposedForm
{
    /// <summary>Before it, nothing combines and nothing decomposes into what would not compose again.</summary>
    private const int FirstCombining = 0x300;

    // Hangul, UAX #15 section 16: a syllable is lead × 21 × 28 + vowel × 28 + tail.
    private const int Syllables = 0xAC00, Leads = 0x1100, Vowels = 0x1161, Tails = 0x11A7;
    private const int LeadCount = 19, VowelCount = 21, TailCount = 28, SyllableCount = LeadCount * VowelCount * TailCount;

    private static readonly Lazy<Tables> s_tables = new(Read);

    private sealed record Tables(FrozenDictionary<int, int> Classes, FrozenDictionary<int, int[]> Decompositions,
        FrozenDictionary<(int First, int Second), int> Compositions)
    {
        /// <summary>Canonical combining class: 0 for what stands for itself.</summary>
        public int Class(int c) => Classes.GetValueOrDefault(c);
    }

    /// <summary>Lone surrogates stay as they are.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('\0', (char)(FirstCombining - 1))) return text;
        var tables = s_tables.Value;
        var code = new List<int>(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            var isPair = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            Decompose(isPair ? char.ConvertToUtf32(text[i], text[++i]) : text[i], code, tables);
        }
        Order(code, tables);
        Compose(code, tables);
        var result = new StringBuilder(text.Length);
        foreach (var c in code)
            if (c < 0x10000) result.Append((char)c);
            else result.Append(char.ConvertFromUtf32(c));
        return result.ToString();
    }

    private static void Decompose(int c, List<int> into, Tables tables)
    {
        if (c is >= Syllables and < Syllables + SyllableCount)
        {
            var syllable = c - Syllables;
            into.Add(Leads + syllable / (VowelCount * TailCount));
            into.Add(Vowels + syllable / TailCount % VowelCount);
            if (syllable % TailCount != 0) into.Add(Tails + syllable % TailCount);
        }
        else if (c >= 0xC0 && tables.Decompositions.TryGetValue(c, out var parts))
            foreach (var part in parts) Decompose(part, into, tables);
        else into.Add(c);
    }

    /// <summary>Marks behind a character by their class, those of one class in the order in which they came.</summary>
    private static void Order(List<int> code, Tables tables)
    {
        for (var i = 0; i < code.Count; i++)
        {
            var first = i;
            while (i < code.Count && tables.Class(code[i]) != 0) i++;
            if (i - first < 2) continue;
            var ordered = code.GetRange(first, i - first).OrderBy(tables.Class).ToList();
            for (var k = 0; k < ordered.Count; k++) code[first + k] = ordered[k];
        }
    }

    /// <summary>What follows a starter joins it unless something between the two has its class or a higher one.</summary>
    private static void Compose(List<int> code, Tables tables)
    {
        var (starter, kept, last) = (-1, 0, 0);
        foreach (var c in code.ToArray())
        {
            var own = tables.Class(c);
            var isNext = starter == kept - 1;
            if (starter >= 0 && (isNext || (last != 0 && last < own)) && Pair(code[starter], c, tables) is { } composed)
            {
                code[starter] = composed;
                continue;
            }
            if (own == 0) starter = kept;
            last = own;
            code[kept++] = c;
        }
        code.RemoveRange(kept, code.Count - kept);
    }

    private static int? Pair(int first, int second, Tables tables)
    {
        if (first is >= Leads and < Leads + LeadCount && second is >= Vowels and < Vowels + VowelCount)
            return Syllables + ((first - Leads) * VowelCount + second - Vowels) * TailCount;
        if (first is >= Syllables and < Syllables + SyllableCount && (first - Syllables) % TailCount == 0
            && second is > Tails and < Tails + TailCount)
            return first + second - Tails;
        return tables.Compositions.TryGetValue((first, second), out var composed) ? composed : null;
    }

    private static Tables Read()
    {
        var (classes, decompositions, compositions) = (new Dictionary<int, int>(), new Dictionary<int, int[]>(),
            new Dictionary<(int, int), int>());
        using var reader = new StreamReader(typeof(ComposedForm).Assembly.GetManifestResourceStream("canonical.txt")
            ?? throw new InvalidOperationException("canonical.txt is not in the assembly"));
        while (reader.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            switch (words[0])
            {
                case "class":
                    for (var c = Hex(words[1]); c <= Hex(words[2]); c++) classes[c] = int.Parse(words[3], CultureInfo.InvariantCulture);
                    break;
                case "pair" or "from":
                    int[] parts = [.. words[2..].Select(Hex)];
                    decompositions[Hex(words[1])] = parts;
                    if (words[0] == "pair") compositions[(parts[0], parts[1])] = Hex(words[1]);
                    break;
            }
        }
        return new(classes.ToFrozenDictionary(), decompositions.ToFrozenDictionary(), compositions.ToFrozenDictionary());
    }

    private static int Hex(string word) => int.Parse(word, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
