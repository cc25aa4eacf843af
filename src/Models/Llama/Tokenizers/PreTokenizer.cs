namespace Harness.Models.Llama.Tokenizers;

/// <summary>One step of the pre-tokeniser: rewrites a piece of text, then cuts it up.</summary>
/// <param name="Rewrite">The text to cut, from the text and whether it begins the whole input; null to leave it.</param>
internal sealed record PreTokenizerStep(FirstPiece FirstPiece, Func<string, bool, string>? Rewrite = null);

/// <summary>Reads <c>pre_tokenizer</c>.</summary>
internal static class PreTokenizer
{
    /// <summary>A step that changes no id where <see cref="BytePairModel.WordsAreSeparable"/>, but makes words cacheable.</summary>
    public static readonly PreTokenizerStep WordStarts = new(SentencePieceTokenizer.WordLength);

    public static List<PreTokenizerStep> Read(JsonSection section, out bool byteLevel)
    {
        byteLevel = false;
        var steps = new List<PreTokenizerStep>();
        foreach (var part in Flatten(section, "pretokenizers"))
        {
            // Behind ByteLevel stand mapped bytes, no characters, for any further step.
            if (byteLevel) throw part.Refusal("a step behind ByteLevel is not supported");
            switch (part.Type)
            {
                case "ByteLevel": steps.Add(ByteLevel(part)); byteLevel = true; break;
                case "Split": steps.Add(Split(part)); break;
                case "Digits": steps.Add(Digits(part)); break;
                case "Metaspace": steps.Add(Metaspace(part)); break;
                default: throw part["type"].Refusal("this pre-tokenizer is not supported");
            }
        }
        return steps;
    }

    /// <summary>The parts of a Sequence, also nested; a lone part; or nothing for null.</summary>
    public static IEnumerable<JsonSection> Flatten(JsonSection section, string listKey)
    {
        if (section.IsNull) return [];
        if (section.Type != "Sequence") return [section];
        section.Only("type", listKey);
        return section[listKey].Items().SelectMany(item => Flatten(item, listKey));
    }

    private static PreTokenizerStep ByteLevel(JsonSection part)
    {
        part.Only("type", "add_prefix_space", "trim_offsets", "use_regex");
        FirstPiece piece = part["use_regex"].Flag(true) ? SplitPatterns.ForPattern(SplitPatterns.Gpt2)! : text => text.Length;
        return new(piece, part["add_prefix_space"].Flag(true) ? (text, _) => text.StartsWith(' ') ? text : " " + text : null);
    }

    private static PreTokenizerStep Split(JsonSection part)
    {
        part.Only("type", "pattern", "behavior", "invert");
        // The known patterns match every character, so that removing what lies between matches removes nothing.
        if ((part["behavior"].Text(), part["invert"].Flag(false)) is not (("Isolated", false) or ("Removed", true)))
            throw part["behavior"].Refusal("only Isolated, or Removed with invert, is supported");
        part["pattern"].Only("Regex");
        var pattern = part["pattern"]["Regex"];
        return new(SplitPatterns.ForPattern(pattern.Text()) ?? throw pattern.Refusal("this pattern is not known"));
    }

    private static PreTokenizerStep Digits(JsonSection part)
    {
        part.Only("type", "individual_digits");
        return new(part["individual_digits"].Flag(false) ? SplitPatterns.IndividualDigits : SplitPatterns.ContiguousDigits);
    }

    private static PreTokenizerStep Metaspace(JsonSection part)
    {
        part.Only("type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep");
        var (meta, scheme) = ReadMetaspace(part);
        FirstPiece piece = text => text.Length;
        if (part["split"].Flag(true))
            piece = text => text[1..].IndexOf(meta) is >= 0 and var next ? next + 1 : text.Length;
        return new(piece, (text, first) =>
        {
            text = text.Replace(' ', meta);
            return scheme == "never" || (scheme == "first" && !first) || text.StartsWith(meta) ? text : meta + text;
        });
    }

    /// <summary>The visible space, and when one is put in front: always, first (of the input) or never.</summary>
    public static (char Meta, string Scheme) ReadMetaspace(JsonSection part)
    {
        var meta = part["replacement"].Text();
        if (meta.Length != 1) throw part["replacement"].Refusal("one character is expected");
        // Files from before prepend_scheme have add_prefix_space alone.
        var scheme = !part["prepend_scheme"].IsNull ? part["prepend_scheme"].Text() : part["add_prefix_space"].Flag(true) ? "always"
            : "never";
        if (scheme is not ("always" or "first" or "never")) throw part["prepend_scheme"].Refusal("always, first or never is expected");
        return (meta[0], scheme);
    }
}
