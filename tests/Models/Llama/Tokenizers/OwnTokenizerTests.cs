using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>The contract over one of every kind.</summary>
[TestFixtureSource(typeof(TokenizerFixtures), nameof(TokenizerFixtures.Kinds))]
public class OwnTokenizerTests(string kind) : Contracts.TokenizerContract
{
    protected override ITokenizer Tokenizer => TokenizerFixtures.Kind(kind);

    protected override bool ReadsSpecialTokens => kind is "converted" or "shared/tokenizers/openllama-zh-en";
}
