namespace Harness.Models.Llama.Tokenizers;

/// <summary>The length, in UTF-16 units, of the first piece of a text that is not empty; at least 1.</summary>
public delegate int FirstPiece(ReadOnlySpan<char> text);

/// <summary>
/// The regular expressions that cut text into pieces before byte-pair merging, written out by hand: exact on code
/// points (see <see cref="CharacterClasses"/>), and linear in the text. Alternatives are tried in the pattern's order.
/// </summary>
public static class SplitPatterns
{
    /// <summary>Llama 3's, from https://github.com/meta-llama/llama3/blob/main/llama/tokenizer.py.</summary>
    public const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Llama 3's with every digit alone, as the Qwen family has it.</summary>
    public const string SingleDigits =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>
    /// Mistral's tekken, from Mistral Nemo's tokenizer.json: words end where a capital follows a small letter, and every digit stands
    /// alone.
    /// </summary>
    public const string Tekken =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>GPT-2's, which is also what Hugging Face's ByteLevel applies of itself.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const string Gpt2Grouped = @"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>The splitter for a pattern that is known here; null for any other.</summary>
    public static FirstPiece? ForPattern(string pattern) => pattern switch
    {
        Llama3 => text => Llama3Piece(text, 3),
        SingleDigits => text => Llama3Piece(text, 1),
        Tekken => TekkenPiece,
        Gpt2 or Gpt2Grouped => Gpt2Piece,
        _ => null,
    };

    /// <summary>Every number character (Unicode N*, as Rust's is_numeric) alone, the rest in runs.</summary>
    public static int IndividualDigits(ReadOnlySpan<char> text) =>
        CharacterClasses.First(text, out var length) == CharacterClass.Number ? length : Until(text, CharacterClass.Number);

    /// <summary>Runs of number characters, and the runs between them.</summary>
    public static int ContiguousDigits(ReadOnlySpan<char> text) =>
        Math.Max(CharacterClasses.EndOfRun(text, 0, CharacterClass.Number), Until(text, CharacterClass.Number));

    private static int Llama3Piece(ReadOnlySpan<char> text, int digits)
    {
        if (Contraction(text, ignoreCase: true) is > 0 and var contraction) return contraction;
        var first = CharacterClasses.First(text, out var one);
        if (first == CharacterClass.Letter) return CharacterClasses.EndOfRun(text, one, CharacterClass.Letter);
        if (first == CharacterClass.Number)
        {
            var end = one;
            while (--digits > 0 && end < text.Length
                && CharacterClasses.First(text[end..], out var width) == CharacterClass.Number) end += width;
            return end;
        }
        if (first != CharacterClass.Newline)
        {
            var letters = CharacterClasses.EndOfRun(text, one, CharacterClass.Letter);
            if (letters > one) return letters;
            var symbols = AfterSpace(text, CharacterClass.Other);
            if (symbols > 0) return CharacterClasses.EndOfRun(text, symbols, CharacterClass.Newline);
        }
        return LinesPiece(text);
    }

    private static int TekkenPiece(ReadOnlySpan<char> text)
    {
        var first = CharacterClasses.First(text, out var one);
        if (first == CharacterClass.Number) return one;
        // Each alternative with the optional character in front first, then without it, as an engine that backtracks tries them.
        var lead = first is CharacterClass.Letter or CharacterClass.Newline ? 0 : one;
        if (SmallEnd(text, lead) is > 0 and var withLead) return withLead;
        if (lead > 0 && SmallEnd(text, 0) is > 0 and var without) return without;
        if (EndOfCapitals(text, lead) is var capitals && capitals > lead) return capitals;
        if (lead > 0 && EndOfCapitals(text, 0) is > 0 and var bare) return bare;
        var symbols = AfterSpace(text, CharacterClass.Other);
        if (symbols == 0) return LinesPiece(text);
        while (symbols < text.Length && text[symbols] is '\r' or '\n' or '/') symbols++;
        return symbols;
    }

    /// <summary>
    /// Where capitals, if any, and then at least one small letter end; 0 if there is none. Letters without case and marks are both.
    /// </summary>
    private static int SmallEnd(ReadOnlySpan<char> text, int start)
    {
        var capitals = start;
        var lastOfBoth = 0;     // the end of the last character that may be given back to the small letters
        while (capitals < text.Length && CharacterClasses.Case(text[capitals..], out var width) is var letterCase
            && (letterCase & LetterCase.Capital) != 0)
        {
            capitals += width;
            if ((letterCase & LetterCase.Small) != 0) lastOfBoth = capitals;
        }
        var end = capitals;
        while (end < text.Length && CharacterClasses.Case(text[end..], out var width) is var letterCase
            && (letterCase & LetterCase.Small) != 0) end += width;
        return end > capitals ? end : lastOfBoth;
    }

    private static int EndOfCapitals(ReadOnlySpan<char> text, int start)
    {
        while (start < text.Length && (CharacterClasses.Case(text[start..], out var width) & LetterCase.Capital) != 0) start += width;
        return start;
    }

    /// <summary>The patterns <c>\s*[\r\n]+|\s+(?!\S)|\s+</c>.</summary>
    private static int LinesPiece(ReadOnlySpan<char> text)
    {
        var white = EndOfWhite(text);
        var newline = text[..white].LastIndexOfAny('\r', '\n');
        return newline >= 0 ? newline + 1 : WhitePiece(text, white);
    }

    private static int Gpt2Piece(ReadOnlySpan<char> text)
    {
        if (Contraction(text, ignoreCase: false) is > 0 and var contraction) return contraction;
        if (AfterSpace(text, CharacterClass.Letter) is > 0 and var letters) return letters;
        if (AfterSpace(text, CharacterClass.Number) is > 0 and var numbers) return numbers;
        if (AfterSpace(text, CharacterClass.Other) is > 0 and var symbols) return symbols;
        return WhitePiece(text, EndOfWhite(text));
    }

    /// <summary>The pattern <c>\s+(?!\S)|\s+</c>: the last white character is left to the word behind it.</summary>
    private static int WhitePiece(ReadOnlySpan<char> text, int white) => white == text.Length ? white : Math.Max(1, white - 1);

    /// <summary>One or more of a class behind an optional space; 0 if there are none.</summary>
    private static int AfterSpace(ReadOnlySpan<char> text, CharacterClass of)
    {
        var start = text[0] == ' ' ? 1 : 0;
        var end = CharacterClasses.EndOfRun(text, start, of);
        return end > start ? end : 0;
    }

    private static int EndOfWhite(ReadOnlySpan<char> text)
    {
        var end = 0;
        while (end < text.Length && CharacterClasses.First(text[end..], out _) >= CharacterClass.Newline) end++;
        return end;
    }

    private static int Until(ReadOnlySpan<char> text, CharacterClass of)
    {
        var end = 0;
        while (end < text.Length && CharacterClasses.First(text[end..], out var length) != of) end += length;
        return end;
    }

    private static int Contraction(ReadOnlySpan<char> text, bool ignoreCase)
    {
        if (text.Length < 2 || text[0] != '\'') return 0;
        var first = Fold(text[1], ignoreCase);
        if (first is 's' or 't' or 'm' or 'd') return 2;
        if (text.Length < 3) return 0;
        return (first, Fold(text[2], ignoreCase)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    // Unicode's simple case folding, which the original engines apply: beside the capitals, ſ (U+017F) folds to s.
    private static char Fold(char c, bool ignoreCase) =>
        !ignoreCase ? c : c == 'ſ' ? 's' : char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c;
}
