using System.Reflection;
using Harness.Common;
using Harness.Models.Llama.Tokenizers;

namespace Harness.MLTokenizers;

/// <summary>
/// The package Microsoft.ML.Tokenizers behind the tokenizer seam, as a check of the project's own: SentencePiece byte-pair
/// models and tiktoken rank lists. It reads no tokenizer.json.
/// </summary>
public sealed class MLTokenizerFactory : ITokenizerFactory
{
    /// <summary>Of the package, such as 2.0.1.</summary>
    public static string Version { get; } = typeof(Microsoft.ML.Tokenizers.Tokenizer).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    public bool Reads(TokenizerFormat format) => format != TokenizerFormat.HuggingFace;

    public ITokenizer Create(TokenizerFile file)
    {
        try
        {
            ITokenizer tokenizer = file.Format switch
            {
                TokenizerFormat.SentencePiece => new MLSentencePiece(file),
                TokenizerFormat.Tiktoken => new MLTiktoken(file),
                _ => throw new UserErrorException(
                    $"{file.Path}: Microsoft.ML.Tokenizers {Version} reads no tokenizer.json; use --tokenizer-library own, or put the "
                    + "model's tokenizer.model beside it"),
            };
            if (file.Checkpoint.Added.FirstOrDefault(token => token.Id >= tokenizer.VocabularySize) is { } added)
                throw new UserErrorException($"{file.Path}: the files beside it add the token '{added.Content}', "
                    + $"which Microsoft.ML.Tokenizers {Version} does not honour; use --tokenizer-library own");
            return tokenizer;
        }
        // What the package throws is not documented; among it are exceptions of its protobuf reader.
        catch (Exception e) when (e is not UserErrorException)
        {
            throw new UserErrorException($"{file.Path}: Microsoft.ML.Tokenizers cannot read it ({e.Message.ReplaceLineEndings(" ")}); use "
                + "--tokenizer-library own", e);
        }
    }
}
