using Harness.Models.Llama.Tokenizers;
using Harness.Tensors;

namespace Harness.PlugIns;

/// <summary>Who makes tokenizers, by the word after <c>--tokenizer-library</c>.</summary>
internal static class TokenizerLibraries
{
    public const string Own = "own", MicrosoftML = "ml";

    public static ITokenizerFactory Find(string name) => name switch
    {
        Own => new OwnTokenizers(),
        MicrosoftML => PlugIn.Load<ITokenizerFactory>("Harness.PlugIns.MLTokenizers", $"tokenizer library '{name}'", "-p:WithMLTokenizers=true"),
        _ => throw new UserErrorException($"tokenizer library '{name}' is unknown; use {Own} or {MicrosoftML}"),
    };
}
