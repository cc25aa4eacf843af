using Harness.Common;
using Harness.MLTokenizers;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Seams;

/// <summary>Who makes tokenizers, by the word after <c>--tokenizer-library</c>.</summary>
internal static class TokenizerLibraries
{
    public const string Own = "own", MicrosoftML = "ml";

    public static ITokenizerFactory Find(string name) => name switch
    {
        Own => new OwnTokenizers(),
        MicrosoftML => new MLTokenizerFactory(),
        _ => throw new UserErrorException($"tokenizer library '{name}' is unknown; use {Own} or {MicrosoftML}"),
    };
}
