namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// Text to token ids and back. Implementations are immutable and may be used from several threads at once.
/// </summary>
public interface ITokenizer
{
    /// <summary>One more than the largest id this tokenizer can produce or decode.</summary>
    int VocabularySize { get; }

    /// <summary>The id put in front of a prompt; null if the model was trained without one.</summary>
    int? BeginOfText { get; }

    /// <summary>A line for each thing that the tokenizer's files say and that is not followed.</summary>
    IReadOnlyList<string> Notes => [];

    /// <summary>The ids that end generation, for example Llama 3's <c>&lt;|end_of_text|&gt;</c> and <c>&lt;|eot_id|&gt;</c>.</summary>
    IReadOnlySet<int> EndOfText { get; }

    /// <summary>
    /// The ids of <paramref name="text"/>. Lone surrogates are read as U+FFFD, since they have no UTF-8 form.
    /// </summary>
    /// <remarks>
    /// The name of a special token inside the text (<c>"&lt;/s&gt;"</c>) is treated as the reference implementation
    /// of the file's format treats plain text by default: SentencePiece and tiktoken read it as ordinary characters,
    /// so that data cannot end its own prompt; a Hugging Face <c>tokenizer.json</c> turns it into the token, and so does a token
    /// that a file beside the tokenizer adds.
    /// </remarks>
    /// <param name="addBeginOfText">Whether this is a prompt: <see cref="BeginOfText"/> stands in front, and the end behind it where the
    /// checkpoint asks for one.</param>
    int[] Encode(string text, bool addBeginOfText);

    /// <summary>The same tokenizer for what a chat template rendered; null where this implementation cannot.</summary>
    IRenderedTexts? Rendered => null;

    /// <summary>A decoder for one text.</summary>
    /// <param name="continuation">
    /// True for ids that follow a prompt: the space which a SentencePiece-like model writes in front of a word is then
    /// kept at the very start too. False for ids that are a whole text, whose first space was put there by the encoder.
    /// </param>
    ITokenDecoder NewDecoder(bool continuation = false);
}

/// <summary>
/// Texts that a chat template rendered, with the ids that transformers gives them (<c>add_special_tokens=False</c>): the name of any
/// special token in the text is that token, whatever the format, and nothing stands in front of the text or behind it.
/// </summary>
public interface IRenderedTexts
{
    /// <exception cref="Harness.Common.UserErrorException">The text has a special token that no file gives an id.</exception>
    int[] Encode(string text);

    /// <summary>The first special token whose name stands in a text; null where none does.</summary>
    string? SpecialTokenIn(string text);

    /// <summary>The id of tokenizer_config.json's eos_token, with which templates end a turn; null where there is none.</summary>
    int? EndOfTurn { get; }
}

/// <summary>
/// Decodes ids as they come. The pieces returned, joined, are the text of all ids: no UTF-8 sequence is split between
/// two pieces and no space is lost. Control tokens, and ids beyond the vocabulary (models pad theirs), give no text.
/// </summary>
public interface ITokenDecoder
{
    /// <summary>The text that <paramref name="token"/> completes; empty while a character is still unfinished.</summary>
    string Append(int token);

    /// <summary>What is left of an unfinished character, as U+FFFD. The decoder must not be used afterwards.</summary>
    string Flush();
}

public static class TokenizerExtensions
{
    /// <summary>The text of a whole sequence of ids.</summary>
    /// <param name="continuation">As in <see cref="ITokenizer.NewDecoder"/>.</param>
    public static string Decode(this ITokenizer tokenizer, ReadOnlySpan<int> tokens, bool continuation = false)
    {
        var decoder = tokenizer.NewDecoder(continuation);
        var text = new System.Text.StringBuilder();
        foreach (var token in tokens) text.Append(decoder.Append(token));
        return text.Append(decoder.Flush()).ToString();
    }
}
