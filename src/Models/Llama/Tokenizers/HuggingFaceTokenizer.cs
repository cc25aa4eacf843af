using Harness.Common;

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
    private readonly Func<string, string> normalize;
    private readonly AddedTokens rawTokens;
    private readonly AddedTokens normalizedTokens;
    private readonly PreTokenizerStep[] steps;
    private readonly BytePairModel model;
    private readonly Func<bool, ITokenDecoder> newDecoder;
    private readonly PromptFrame frame;
    private readonly Dictionary<string, int> addedIds;

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

        checkpoint ??= CheckpointTokens.None;
        var added = Added(root["added_tokens"], checkpoint);
        rawTokens = new AddedTokens(added.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        normalizedTokens = new AddedTokens(added.Where(t => t.Normalized).Select(t => (normalize(t.Content), t)));

        var ids = model.Vocabulary.Concat(added.Select(t => KeyValuePair.Create(t.Content, t.Id))).ToList();
        VocabularySize = ids.Count == 0 ? 0 : ids.Max(t => t.Value) + 1;
        newDecoder = ReadDecoder(root["decoder"], ids, added);

        addedIds = added.ToDictionary(t => t.Content, t => t.Id);
        frame = new PromptFrame(file, checkpoint, IdOf, ReadTemplate(root["post_processor"]),
            checkpoint.IsLlama ? IdOf(checkpoint.BeginToken ?? "<s>") : null, CheckpointTokens.UsualEnds.Select(IdOf).OfType<int>());
        Notes = frame.Notes;
        var special = RenderedTexts.Named(checkpoint, IdOf).Where(token => !addedIds.ContainsKey(token.Content)).ToList();
        var found = new AddedTokens(added.Where(t => !t.Normalized).Concat(special).Select(t => (t.Content, t)));
        Rendered = new RenderedTexts(file, checkpoint, IdOf, added.Where(t => t.Special).Concat(special).Select(t => t.Content),
            text => [.. Ids(text, found)]);
    }

    /// <summary>Of a token by its content; null where there is none.</summary>
    internal int? IdOf(string token) => addedIds.TryGetValue(token, out var id) || model.Vocabulary.TryGetValue(token, out id) ? id : null;

    public int VocabularySize { get; }
    public int? BeginOfText => frame.Begin;
    public IReadOnlySet<int> EndOfText => frame.Ends;
    public IReadOnlyList<string> Notes { get; internal set; }
    public IRenderedTexts Rendered { get; }

    public ITokenDecoder NewDecoder(bool continuation = false) => newDecoder(continuation);

    public int[] Encode(string text, bool addBeginOfText) => frame.Around(Ids(text, rawTokens), addBeginOfText);

    /// <param name="found">The tokens that are found in the raw text.</param>
    private List<int> Ids(string text, AddedTokens found)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        foreach (var (part, token) in found.Split(text))
        {
            if (token is not null) ids.Add(token.Id);
            else EncodeText(normalize(text[part]), part.Start.Value == 0, ids);
        }
        return ids;
    }

    /// <summary>
    /// tokenizer.json's and those of the files beside it, each content once. Of two descriptions of one token tokenizer_config.json's goes
    /// first, added_tokens.json's last, as in transformers.
    /// </summary>
    private List<AddedToken> Added(JsonSection section, CheckpointTokens checkpoint)
    {
        var own = section.Items().Select(token => AddedToken.Read(token)).ToList();
        var added = new Dictionary<string, AddedToken>();
        foreach (var token in checkpoint.AddedGoFirst ? checkpoint.Added.Concat(own) : own.Concat(checkpoint.Added))
        {
            if (model.Vocabulary.TryGetValue(token.Content, out var id) && id != token.Id)
                throw section.Refusal($"'{token.Content}' has the id {token.Id} here and {id} in the vocabulary");
            if (!added.TryAdd(token.Content, token) && added[token.Content].Id != token.Id)
                throw section.Refusal($"'{token.Content}' has the id {token.Id} in one file and {added[token.Content].Id} in another");
        }
        foreach (var name in checkpoint.FurtherSpecial.Where(name => !added.ContainsKey(name)))
            added.Add(name, new(model.Vocabulary.TryGetValue(name, out var id) ? id
                : throw section.Refusal($"special token '{name}' has no id"), name, true, false, false, false));
        return [.. added.Values];
    }

    private void EncodeText(string text, bool atStart, List<int> ids)
    {
        foreach (var (part, token) in normalizedTokens.Split(text))
        {
            if (token is not null) ids.Add(token.Id);
            else PreTokenize(text.AsSpan(part), 0, atStart && part.Start.Value == 0, ids);
        }
    }

    private void PreTokenize(ReadOnlySpan<char> text, int step, bool atStart, List<int> ids)
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

    private static Func<string, string> ReadNormalizer(JsonSection section)
    {
        Func<string, string> all = text => text;
        foreach (var part in PreTokenizer.Flatten(section, "normalizers"))
        {
            var (before, next) = (all, NormalizerStep(part));
            all = text => next(before(text));
        }
        return all;
    }

    private static Func<string, string> NormalizerStep(JsonSection part)
    {
        switch (part.Type)
        {
            case "NFC":
                part.Only("type");
                return ComposedForm.Of;
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

    private static Func<bool, ITokenDecoder> ReadDecoder(JsonSection section, List<KeyValuePair<string, int>> ids, List<AddedToken> added)
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

    /// <summary>The tokens that a TemplateProcessing puts in front of a text and behind it; null where there is none.</summary>
    private static PromptTemplate? ReadTemplate(JsonSection section)
    {
        PromptTemplate? template = null;
        foreach (var part in PreTokenizer.Flatten(section, "processors"))
        {
            if (part.Type == "ByteLevel") continue; // concerns offsets into the text, which are not computed here
            if (part.Type != "TemplateProcessing") throw part["type"].Refusal("this post-processor is not supported");
            var single = part["single"].Items().ToList();
            var text = single.FindIndex(piece => !piece["Sequence"].IsNull);
            if (text is < 0 or > 1 || single.Count - text > 2 || single.Count(piece => !piece["Sequence"].IsNull) != 1)
                throw part["single"].Refusal("at most one token in front of the text and one behind it are supported");
            template = new(text == 1 ? Id(part, single[0]) : template?.Begin, text + 1 < single.Count ? Id(part, single[^1])
                : template?.End);
        }
        return template;

        static int Id(JsonSection part, JsonSection piece) =>
            part["special_tokens"][piece["SpecialToken"]["id"].Text()]["ids"].Items().ToList() is [var id] ? id.Id()
                : throw part["special_tokens"].Refusal("one id for each token is expected");
    }
}
