using System.Collections.Frozen;
using Harness.Common;
using Harness.Models.Llama.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Harness.MLTokenizers;

/// <summary>A SentencePiece byte-pair model through the package's LlamaTokenizer.</summary>
internal sealed class MLSentencePiece : ITokenizer
{
    private readonly LlamaTokenizer _tokenizer;
    private readonly FrozenSet<int> _silent;
    private readonly PromptFrame _frame;

    /// <summary>A piece that is one letter: put before a window that continues a text, and cut off again.</summary>
    private readonly int _letter;

    /// <exception cref="UserErrorException">The model has user-defined pieces, which the package neither looks for first nor, where they
    /// precede the bytes, decodes.</exception>
    public MLSentencePiece(TokenizerFile file)
    {
        using var data = new MemoryStream(file.Data);
        _tokenizer = LlamaTokenizer.Create(data, addBeginOfSentence: false, addEndOfSentence: false);
        if (SentencePieceModel.Parse(file.Path, file.Data).Pieces.Find(piece =>
            piece.Type == PieceType.UserDefined) is { Text: not null } piece)
            throw new UserErrorException($"{file.Path}: the piece '{piece.Text}' is user-defined, which Microsoft.ML.Tokenizers "
                + $"{MLTokenizerFactory.Version} does not honour; use --tokenizer-library own");
        VocabularySize = _tokenizer.Vocabulary.Values.Max() + 1;
        _letter = Id("a") ?? throw new InvalidDataException("there is no piece 'a'");
        var (begin, end) = (Id(_tokenizer.BeginningOfSentenceToken), Id(_tokenizer.EndOfSentenceToken));
        _silent = Present(begin, end).ToFrozenSet();
        _frame = new PromptFrame(file.Path, file.Checkpoint, Id, null, begin, Present(end));
    }

    public int VocabularySize { get; }
    public int? BeginOfText => _frame.Begin;
    public IReadOnlySet<int> EndOfText => _frame.Ends;
    public IReadOnlyList<string> Notes => _frame.Notes;

    public int[] Encode(string text, bool addBeginOfText) =>
        _frame.Around(_tokenizer.EncodeToIds(WholeCharacters.Of(text), addBeginningOfSentence: false, addEndOfSentence: false),
            addBeginOfText);

    public ITokenDecoder NewDecoder(bool continuation = false) => new WindowDecoder(Speaks, Decode, continuation);

    private bool Speaks(int token) => (uint)token < (uint)VocabularySize && !_silent.Contains(token);

    /// <summary>The package takes a first ▁ off, as the one that the encoder put there; with a letter before it, it does not.</summary>
    private string Decode(IEnumerable<int> window, bool isStart) =>
        isStart ? _tokenizer.Decode(window) : _tokenizer.Decode(window.Prepend(_letter))[1..];

    private int? Id(string piece) => _tokenizer.Vocabulary.TryGetValue(piece, out var id) ? id : null;

    private static IEnumerable<int> Present(params int?[] ids) => ids.OfType<int>();
}
