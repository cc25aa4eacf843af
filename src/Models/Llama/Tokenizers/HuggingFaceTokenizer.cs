using System.Collections.Frozen;
using Harness.Tensors;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// A Hugging Face <c>tokenizer.json</c> with a BPE model, SentencePiece-like (LLaMA 1 and 2) or byte-level (Llama 3,
/// SmolLM). What the file asks for and this class does not do is refused by name. Two keys are passed over on purpose:
/// <c>truncation</c> and <c>padding</c> describe batches, and transformers resets them on every call.
/// Added tokens standing in a text become those tokens, as in the reference implementation,
/// https://github.com/huggingface/tokenizers.
/// </summary>
public sealed class HuggingFaceTokenizer : ITokenizer
{
    readonly Func<string, string> normalize;
    readonly AddedTokens rawTokens;
    readonly AddedTokens normalizedTokens;
    readonly PreTokenizerStep[] steps;
    readonly BytePairModel model;
    readonly Func<bool, ITokenDecoder> newDecoder;

    /// <param name="file">Named in errors.</param>
    /// <param name="checkpoint">What the files beside it say about the begin and the end of a text.</param>
    /// <exception cref="UserErrorException">The file is damaged or asks for something that is not supported.</exception>
    public HuggingFaceTokenizer(string file, ReadOnlyMemory<byte> data, CheckpointTokens? checkpoint = null)
    {
        var root = JsonSection.Open(file, data);
        root.Only("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model");
        normalize = ReadNormalizer(root["normalizer"]);
        var preTokenizer = PreTokenizer.Read(root["pre_tokenizer"], out var byteLevel);
        model = new BytePairModel(root["model"], byteLevel);
        if (model.WordsAreSeparable) preTokenizer.Add(PreTokenizer.WordStarts);
        steps = [.. preTokenizer];

        var added = root["added_tokens"].Items().Select(AddedToken.Read).ToList();
        foreach (var token in added)
            if (model.Vocabulary.TryGetValue(token.Content, out var id) && id != token.Id)
                throw root["added_tokens"].Refusal($"'{token.Content}' has the id {token.Id} here and {id} in the vocabulary");
        rawTokens = new AddedTokens(added.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        normalizedTokens = new AddedTokens(added.Where(t => t.Normalized).Select(t => (normalize(t.Content), t)));

        var ids = model.Vocabulary.Concat(added.Select(t => KeyValuePair.Create(t.Content, t.Id))).ToList();
        VocabularySize = ids.Count == 0 ? 0 : ids.Max(t => t.Value) + 1;
        newDecoder = ReadDecoder(root["decoder"], ids, added);

        int? IdOf(string token) => added.Find(t => t.Content == token)?.Id ?? (model.Vocabulary.TryGetValue(token, out var id) ? id : null);
        checkpoint ??= CheckpointTokens.None;
        BeginOfText = TemplateBegin(root["post_processor"], out var hasTemplate);
        if (!hasTemplate && checkpoint is { AddsBegin: true, BeginToken: { } begin }) BeginOfText = IdOf(begin);
        int?[] end = checkpoint.EndToken is { } name ? [IdOf(name)] : [];
        EndOfText = checkpoint.EndIds.Concat(end.OfType<int>()).ToFrozenSet();
        if (EndOfText.Count == 0) EndOfText = CheckpointTokens.UsualEnds.Select(IdOf).OfType<int>().ToFrozenSet();
    }

    public int VocabularySize { get; }
    public int? BeginOfText { get; }
    public IReadOnlySet<int> EndOfText { get; }

    public ITokenDecoder NewDecoder(bool continuation = false) => newDecoder(continuation);

    public int[] Encode(string text, bool addBeginOfText)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        if (addBeginOfText && BeginOfText is { } begin) ids.Add(begin);
        foreach (var (part, token) in rawTokens.Split(text))
        {
            if (token is not null) ids.Add(token.Id);
            else EncodeText(normalize(text[part]), part.Start.Value == 0, ids);
        }
        return [.. ids];
    }

    void EncodeText(string text, bool atStart, List<int> ids)
    {
        foreach (var (part, token) in normalizedTokens.Split(text))
        {
            if (token is not null) ids.Add(token.Id);
            else PreTokenize(text.AsSpan(part), 0, atStart && part.Start.Value == 0, ids);
        }
    }

    void PreTokenize(ReadOnlySpan<char> text, int step, bool atStart, List<int> ids)
    {
        if (step == steps.Length)
        {
            model.Encode(text, ids);
            return;
        }
        if (steps[step].Rewrite is { } rewrite) text = rewrite(text.ToString(), atStart);
        while (!text.IsEmpty)
        {
            var length = steps[step].FirstPiece(text);
            PreTokenize(text[..length], step + 1, atStart, ids);
            text = text[length..];
            atStart = false;
        }
    }

    static Func<string, string> ReadNormalizer(JsonSection section)
    {
        Func<string, string> all = text => text;
        foreach (var part in PreTokenizer.Flatten(section, "normalizers"))
        {
            var (before, next) = (all, NormalizerStep(part));
            all = text => next(before(text));
        }
        return all;
    }

    static Func<string, string> NormalizerStep(JsonSection part)
    {
        switch (part.Type)
        {
            case "Prepend":
                part.Only("type", "prepend");
                var prefix = part["prepend"].Text();
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace":
                part.Only("type", "pattern", "content");
                part["pattern"].Only("String");
                var (from, to) = (part["pattern"]["String"].Text(), part["content"].Text());
                if (from.Length == 0) throw part["pattern"].Refusal("a string that is not empty is expected");
                return text => text.Replace(from, to, StringComparison.Ordinal);
            default:
                throw part["type"].Refusal("this normalizer is not supported");
        }
    }

    static Func<bool, ITokenDecoder> ReadDecoder(JsonSection section, List<KeyValuePair<string, int>> ids, List<AddedToken> added)
    {
        var texts = new string?[ids.Count == 0 ? 0 : ids.Max(t => t.Value) + 1];
        foreach (var (text, id) in ids) texts[id] = text;
        foreach (var token in added)
            if (token.Special) texts[token.Id] = null;
        var parts = PreTokenizer.Flatten(section, "decoders").ToList();
        if (parts is [var only] && only.Type == "ByteLevel")
        {
            only.Only("type", "add_prefix_space", "trim_offsets", "use_regex");
            var tokens = Array.ConvertAll(texts, text => text is null ? null : ByteAlphabet.Unmap(text));
            return _ => new ByteTokenDecoder(tokens);
        }
        var decoding = TextDecoding.Read(section);
        return continuation => new HuggingFaceDecoder(decoding, texts, continuation);
    }

    /// <summary>The token that a TemplateProcessing puts in front of a text, if it does.</summary>
    static int? TemplateBegin(JsonSection section, out bool found)
    {
        int? begin = null;
        found = false;
        foreach (var part in PreTokenizer.Flatten(section, "processors"))
        {
            if (part.Type == "ByteLevel") continue; // concerns offsets into the text, which are not computed here
            if (part.Type != "TemplateProcessing") throw part["type"].Refusal("this post-processor is not supported");
            var single = part["single"].Items().ToList();
            found = true;
            if (single.Count is < 1 or > 2 || single[^1]["Sequence"].IsNull) throw part["single"].Refusal("only one token in front of the text is supported");
            if (single.Count == 1) continue;
            var ids = part["special_tokens"][single[0]["SpecialToken"]["id"].Text()]["ids"].Items().ToList();
            begin = ids is [var id] ? id.Id() : throw part["special_tokens"].Refusal("one id for the token in front is expected");
        }
        return begin;
    }
}
