using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>The tokenizers of this assembly: every format that it can tell.</summary>
public sealed class OwnTokenizers : ITokenizerFactory
{
    public bool Reads(TokenizerFormat format) => true;

    public ITokenizer Create(TokenizerFile file) => file.Format switch
    {
        TokenizerFormat.HuggingFace => Converted(file),
        TokenizerFormat.Tiktoken => new TiktokenTokenizer(file.Path, file.Data, file.Checkpoint),
        _ => new SentencePieceTokenizer(file.Path, file.Data, file.Checkpoint),
    };

    private static HuggingFaceTokenizer Converted(TokenizerFile file)
    {
        var tokenizer = new HuggingFaceTokenizer(file.Path, file.Data, file.Checkpoint);
        if (file.Beside is { } beside && Difference(tokenizer, beside) is { } difference)
            tokenizer.Notes = [.. tokenizer.Notes, $"{file.Path} is read, {beside} is not, and they differ: {difference}; "
                + "remove whichever is stale"];
        return tokenizer;
    }

    /// <summary>In what the model that was converted differs from the conversion; null where each of its pieces has its id there.</summary>
    private static string? Difference(HuggingFaceTokenizer tokenizer, string modelFile)
    {
        try
        {
            var data = InputFile.Read(modelFile);
            // its special tokens and its merges stand in no file: nothing to compare by name
            if (TokenizerLoader.IsRankList(data)) return null;
            var pieces = SentencePieceModel.Parse(modelFile, data).Pieces;
            var others = Enumerable.Range(0, pieces.Count).Where(id => tokenizer.IdOf(pieces[id].Text) != id).ToList();
            return others.Count == 0 ? null : $"{others.Count} of {pieces.Count} pieces have another id, the first being {others[0]}, "
                + $"'{pieces[others[0]].Text}'";
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }
}
