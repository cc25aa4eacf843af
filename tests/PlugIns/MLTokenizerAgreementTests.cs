using System.Text.Json.Nodes;
using Harness.Models.Llama.Tokenizers;
using Harness.PlugIns;
using Harness.Tensors;
using Harness.Tests.Models.Llama.Tokenizers;

namespace Harness.Tests.PlugIns;

/// <summary>The project's own tokenizers and Microsoft.ML.Tokenizers on all of GSM8K and all of Alpaca, ids and text.</summary>
public class MLTokenizerAgreementTests
{
    private const int ExamplesShown = 5;

    [SetUp]
    public void IsBuilt() => PlugInBuilds.Require("Harness.PlugIns.MLTokenizers", "-p:WithMLTokenizers=true");

    [TestCase("shared/tokenizers/llama2", "gsm8k")]
    [TestCase("shared/tokenizers/llama3", "gsm8k")]
    [TestCase("shared/models/stories260K", "gsm8k")]
    [TestCase("shared/tokenizers/llama2", "alpaca")]
    [TestCase("shared/tokenizers/llama3", "alpaca")]
    [TestCase("shared/models/stories260K", "alpaca")]
    public void Agree(string kind, string dataset)
    {
        var (own, package) = (TokenizerFixtures.Kind(kind), MLTokenizerTests.Load(kind));
        var texts = dataset == "alpaca" ? SharedTexts.Alpaca("\n") : Gsm8k();
        Assert.That(texts, Has.Count.GreaterThan(1000));
        var differing = texts.AsParallel().AsOrdered().Where(text => !Same(own, package, text)).ToList();
        foreach (var text in differing.Take(ExamplesShown)) TestContext.Out.WriteLine(FirstDifference(own, package, text));
        TestContext.Out.WriteLine($"{kind} on {dataset}: {differing.Count} of {texts.Count} texts differ");
        Assert.That(differing, Is.Empty);
    }

    private static bool Same(ITokenizer own, ITokenizer package, string text)
    {
        var ids = own.Encode(text, addBeginOfText: true);
        return ids.SequenceEqual(package.Encode(text, addBeginOfText: true)) && package.Decode(ids) == own.Decode(ids);
    }

    private static string FirstDifference(ITokenizer own, ITokenizer package, string text)
    {
        int[] a = own.Encode(text, addBeginOfText: true), b = package.Encode(text, addBeginOfText: true);
        var at = Enumerable.Range(0, Math.Min(a.Length, b.Length)).FirstOrDefault(i => a[i] != b[i], -1);
        if (at < 0) return $"same {a.Length} ids, other text: {JsonValue.Create(package.Decode(a))!.ToJsonString()}";
        string Near(int[] ids) => $"[{string.Join(' ', ids[at..Math.Min(at + 6, ids.Length)])}]";
        return $"after {JsonValue.Create(own.Decode(a.AsSpan(0, at)))!.ToJsonString()[^Math.Min(40, at)..]}: own {Near(a)}, package {Near(b)}";
    }

    private static List<string> Gsm8k() =>
        [.. new[] { "train.jsonl", "test.jsonl" }.SelectMany(file => File.ReadLines(SharedData.Path("data", "gsm8k", file)))
            .Select(line => JsonNode.Parse(line)!).Select(record => $"{record["question"]}\n{record["answer"]}")];

    [Test]
    public void TokenizerJsonIsRefusedInOneLine() =>
        Assert.That(() => MLTokenizerTests.Load("converted"), Throws.TypeOf<UserErrorException>()
            .With.Message.EndsWith("tokenizer.json: Microsoft.ML.Tokenizers 2.0.0 reads no tokenizer.json; use --tokenizer-library own, or put the model's tokenizer.model beside it"));

    [Test]
    public void ADamagedFileIsRefusedInOneLine()
    {
        var factory = TokenizerLibraries.Find(TokenizerLibraries.MicrosoftML);
        foreach (var format in new[] { TokenizerFormat.SentencePiece, TokenizerFormat.Tiktoken })
        {
            var error = Assert.Throws<UserErrorException>(() => factory.Create(new("x/tokenizer.model", format, "!!! ###"u8.ToArray(), CheckpointTokens.None)))!;
            Assert.That(error.Message, Does.StartWith("x/tokenizer.model: Microsoft.ML.Tokenizers cannot read it (").And.EndWith("); use --tokenizer-library own").And.Not.Contain("\n"));
        }
    }
}
