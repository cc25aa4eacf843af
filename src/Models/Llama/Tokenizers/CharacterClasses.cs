using System.Globalization;
using System.Text;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>The classes the split patterns tell apart: \p{L}, \p{N}, [\r\n], the rest of \s, and everything else.</summary>
internal enum CharacterClass : byte
{
    Other,
    Letter,
    Number,
    Newline,
    Space,
}

/// <summary>What a character may be where a pattern tells capitals (Lu, Lt) from small letters (Ll): Lm, Lo and M are both.</summary>
[Flags]
internal enum LetterCase : byte
{
    Neither = 0,
    Capital = 1,
    Small = 2,
}

/// <summary>
/// Classes of whole code points. .NET's own Regex classes single UTF-16 units, so that it takes a letter beyond
/// U+FFFF (𝐀, or a rare Chinese character) for two symbols, unlike the engines these patterns were written for.
/// </summary>
internal static class CharacterClasses
{
    private static readonly CharacterClass[] s_basic = [.. Enumerable.Range(0, char.MaxValue + 1).Select(c => Of((char)c))];

    /// <summary>A lone surrogate counts as <see cref="CharacterClass.Other"/>, like the U+FFFD it is encoded as.</summary>
    public static CharacterClass First(ReadOnlySpan<char> text, out int length)
    {
        length = 1;
        if (!char.IsHighSurrogate(text[0]) || text.Length < 2 || !char.IsLowSurrogate(text[1])) return s_basic[text[0]];
        length = 2;
        return Of(Rune.GetUnicodeCategory(new Rune(text[0], text[1]))); // \s has no character beyond U+FFFF
    }

    /// <summary>The end of the run of one class that starts at <paramref name="start"/>; start itself if there is none.</summary>
    public static int EndOfRun(ReadOnlySpan<char> text, int start, CharacterClass of)
    {
        while (start < text.Length && First(text[start..], out var length) == of) start += length;
        return start;
    }

    /// <summary>A lone surrogate has no case.</summary>
    public static LetterCase Case(ReadOnlySpan<char> text, out int length)
    {
        length = 1;
        if (!char.IsHighSurrogate(text[0]) || text.Length < 2 || !char.IsLowSurrogate(text[1]))
            return Case(CharUnicodeInfo.GetUnicodeCategory(text[0]));
        length = 2;
        return Case(Rune.GetUnicodeCategory(new Rune(text[0], text[1])));
    }

    private static LetterCase Case(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter => LetterCase.Capital,
        UnicodeCategory.LowercaseLetter => LetterCase.Small,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => LetterCase.Capital | LetterCase.Small,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark =>
            LetterCase.Capital | LetterCase.Small,
        _ => LetterCase.Neither,
    };

    private static CharacterClass Of(char c) =>
        c is '\r' or '\n' ? CharacterClass.Newline
        : char.IsWhiteSpace(c) ? CharacterClass.Space // the same 25 as Unicode's White_Space
        : Of(CharUnicodeInfo.GetUnicodeCategory(c));

    private static CharacterClass Of(UnicodeCategory category) => category switch
    {
        <= UnicodeCategory.OtherLetter => CharacterClass.Letter,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => CharacterClass.Number,
        _ => CharacterClass.Other,
    };
}
