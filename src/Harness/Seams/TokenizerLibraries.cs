using Harness.Configuration;
using Harness.MLTokenizers;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Seams;

/// <summary>Who makes tokenizers, by what <c>--tokenizer-library</c> names.</summary>
internal static class TokenizerLibraries
{
    public static ITokenizerFactory Find(TokenizerLibrary library) =>
        library == TokenizerLibrary.Ml ? new MLTokenizerFactory() : new OwnTokenizers();
}
