using System.Text;
using System.Text.RegularExpressions;
using Harness.Models.Llama.Tokenizers;
using Microsoft.ML.Tokenizers;
using PackageTokenizer = Microsoft.ML.Tokenizers.TiktokenTokenizer;
using TiktokenTokenizer = Harness.Models.Llama.Tokenizers.TiktokenTokenizer;

namespace Harness.MLTokenizers;

/// <summary>
/// Llama 3's rank list through the package's TiktokenTokenizer. Special tokens stand in no file: their ids follow the ranks.
/// </summary>
internal sealed class MLTiktoken : ITokenizer
{
    private readonly PackageTokenizer _tokenizer;
    private readonly PromptFrame _frame;

    public MLTiktoken(TokenizerFile file)
    {
        // An empty line sends the package's reader into an endless loop.
        string[] ranks = Encoding.ASCII.GetString(file.Data).Split(['\n', '\r'], StringSplitOptions.RemoveEmptyEntries);
        using var data = new MemoryStream(Encoding.ASCII.GetBytes(string.Join('\n', ranks)));
        var words = new RegexPreTokenizer(new Regex(SplitPatterns.Llama3, RegexOptions.Compiled | RegexOptions.CultureInvariant),
            specialTokens: null);
        _tokenizer = PackageTokenizer.Create(data, words, normalizer: null);
        var special = TiktokenTokenizer.NameSpecialTokens(ranks.Length);
        VocabularySize = special.Values.Max() + 1;
        _frame = new PromptFrame(file.Path, file.Checkpoint, name =>
            special.TryGetValue(name, out var id) ? id : null, null, special["<|begin_of_text|>"],
            [special["<|end_of_text|>"], special["<|eot_id|>"]]);
    }

    public int VocabularySize { get; }
    public int? BeginOfText => _frame.Begin;
    public IReadOnlySet<int> EndOfText => _frame.Ends;
    public IReadOnlyList<string> Notes => _frame.Notes;

    public int[] Encode(string text, bool addBeginOfText) =>
        _frame.Around(_tokenizer.EncodeToIds(WholeCharacters.Of(text)), addBeginOfText);

    /// <summary>The package gives no text for ids that it does not know, the special ones among them.</summary>
    public ITokenDecoder NewDecoder(bool continuation = false) =>
        new WindowDecoder(_ => true, (window, _) => _tokenizer.Decode(window) ?? "", continuation);
}
