namespace Harness.Models.Llama.Tokenizers;

/// <summary>The tokenizers of this assembly: every format that it can tell.</summary>
public sealed class OwnTokenizers : ITokenizerFactory
{
    public ITokenizer Create(TokenizerFile file) => file.Format switch
    {
        TokenizerFormat.HuggingFace => new HuggingFaceTokenizer(file.Path, file.Data, file.Checkpoint),
        TokenizerFormat.Tiktoken => new TiktokenTokenizer(file.Path, file.Data, file.Checkpoint.EndIds),
        _ => new SentencePieceTokenizer(file.Path, file.Data, file.Checkpoint.EndIds),
    };
}
