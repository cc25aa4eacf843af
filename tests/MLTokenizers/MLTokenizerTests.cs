using System.Collections.Concurrent;
using Harness.Configuration;
using Harness.Models.Llama.Tokenizers;
using Harness.Seams;
using Harness.Tests.Models.Llama.Tokenizers;

namespace Harness.Tests.MLTokenizers;

/// <summary>The tokenizer contract over the package Microsoft.ML.Tokenizers.</summary>
[TestFixture("plain")]
[TestFixture("rank-list")]
[TestFixture("shared/tokenizers/llama2")]
[TestFixture("shared/tokenizers/llama3")]
[TestFixture("shared/models/stories260K")]
public class MLTokenizerTests(string kind) : Contracts.TokenizerContract
{
    private static readonly ConcurrentDictionary<string, ITokenizer> s_loaded = new();

    protected override ITokenizer Tokenizer => Load(kind);

    /// <summary>
    /// The package merges rank lists in quadratic time: 200,000 letters without a space take it minutes, which is no fault of ours to find.
    /// </summary>
    protected override int LongRun => kind is "rank-list" or "shared/tokenizers/llama3" ? 2_000 : base.LongRun;

    public static ITokenizer Load(string kind) =>
        s_loaded.GetOrAdd(kind, _ => TokenizerLibraries.Find(TokenizerLibrary.Ml).Create(TokenizerFixtures.File(kind)));
}
