using System.Reflection;
using Harness.Models.Llama.Tokenizers;
using Harness.Tensors;

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

    public ITokenizer Create(TokenizerFile file)
    {
        try
        {
            return file.Format switch
            {
                TokenizerFormat.SentencePiece => new MLSentencePiece(file),
                TokenizerFormat.Tiktoken => new MLTiktoken(file),
                _ => throw new UserErrorException($"{file.Path}: Microsoft.ML.Tokenizers {Version} reads no tokenizer.json; use --tokenizer-library own, or put the model's tokenizer.model beside it"),
            };
        }
        // What the package throws is not documented; among it are exceptions of its protobuf reader.
        catch (Exception e) when (e is not UserErrorException)
        {
            throw new UserErrorException($"{file.Path}: Microsoft.ML.Tokenizers cannot read it ({e.Message.ReplaceLineEndings(" ")}); use --tokenizer-library own", e);
        }
    }
}
