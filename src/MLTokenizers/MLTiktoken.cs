using System.Collections.Frozen;
using System.Text;
using System.Text.RegularExpressions;
using Harness.Models.Llama.Tokenizers;
using Microsoft.ML.Tokenizers;
using PackageTokenizer = Microsoft.ML.Tokenizers.TiktokenTokenizer;
using TiktokenTokenizer = Harness.Models.Llama.Tokenizers.TiktokenTokenizer;

namespace Harness.MLTokenizers;

/// <summary>Llama 3's rank list through the package's TiktokenTokenizer. Special tokens stand in no file: their ids follow the ranks.</summary>
internal sealed class MLTiktoken : ITokenizer
{
    private readonly PackageTokenizer _tokenizer;

    public MLTiktoken(TokenizerFile file)
    {
        // An empty line sends the package's reader into an endless loop.
        string[] ranks = Encoding.ASCII.GetString(file.Data).Split(['\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
        using var data = new MemoryStream(Encoding.ASCII.GetBytes(string.Join('\n', ranks)));
        var words = new RegexPreTokenizer(new Regex(SplitPatterns.Llama3, RegexOptions.Compiled | RegexOptions.CultureInvariant), specialTokens: null);
        _tokenizer = PackageTokenizer.Create(data, words, normalizer: null);
        var special = TiktokenTokenizer.NameSpecialTokens(ranks.Length);
        VocabularySize = special.Values.Max() + 1;
        BeginOfText = special["<|begin_of_text|>"];
        EndOfText = new[] { special["<|end_of_text|>"], special["<|eot_id|>"] }.Concat(file.Checkpoint.EndIds).ToFrozenSet();
    }

    public int VocabularySize { get; }
    public int? BeginOfText { get; }
    public IReadOnlySet<int> EndOfText { get; }

    public int[] Encode(string text, bool addBeginOfText)
    {
        var ids = _tokenizer.EncodeToIds(WholeCharacters.Of(text));
        return addBeginOfText ? [BeginOfText!.Value, .. ids] : [.. ids];
    }

    /// <summary>The package gives no text for ids that it does not know, the special ones among them.</summary>
    public ITokenDecoder NewDecoder(bool continuation = false) => new WindowDecoder(_ => true, (window, _) => _tokenizer.Decode(window) ?? "", continuation);
}
