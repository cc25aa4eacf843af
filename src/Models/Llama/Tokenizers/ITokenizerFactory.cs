using Harness.Common;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>Makes tokenizers from the files of checkpoints: this assembly's own code, or a library behind the same interface.</summary>
public interface ITokenizerFactory
{
    /// <summary>Whether this factory knows the format.</summary>
    bool Reads(TokenizerFormat format);

    /// <exception cref="UserErrorException">The file is damaged, or of a kind that this factory does not know.</exception>
    ITokenizer Create(TokenizerFile file);
}

/// <summary>What a file holds, seen from its name and its content.</summary>
public enum TokenizerFormat
{
    /// <summary>A protobuf message of Google's sentencepiece.</summary>
    SentencePiece,

    /// <summary>A line of base64 and a rank for each token, as Llama 3 comes with.</summary>
    Tiktoken,

    /// <summary>tokenizer.json.</summary>
    HuggingFace,
}

/// <param name="Path">Named in errors.</param>
/// <param name="Checkpoint">What the files beside it say.</param>
public sealed record TokenizerFile(string Path, TokenizerFormat Format, byte[] Data, CheckpointTokens Checkpoint)
{
    /// <summary>Another file of the same tokenizer that is not read; null where there is none.</summary>
    public string? Beside { get; init; }
}
