using System.Diagnostics;
using Harness.Models.Llama.Tokenizers;

namespace Harness.Tests.Models.Llama.Tokenizers;

/// <summary>Prints how fast all Alpaca records are encoded, on one thread; holds nothing to a time.</summary>
[TestFixture]
public class TokenizerSpeedTests
{
    [TestCase("llama2")]
    [TestCase("llama3")]
    [TestCase("openllama-zh-en")]
    public void AllAlpacaRecords(string name)
    {
        var texts = SharedTexts.Alpaca("\n\n");
        var clock = Stopwatch.StartNew();
        var tokenizer = TokenizerLoader.Load(SharedData.Path("tokenizers", name));
        var load = clock.Elapsed.TotalSeconds;
        clock.Restart();
        var tokens = texts.Sum(text => (long)tokenizer.Encode(text, addBeginOfText: true).Length);
        var seconds = clock.Elapsed.TotalSeconds;
        TestContext.Out.WriteLine($"{name}: loaded in {load:F2} s; {tokens} tokens in {seconds:F2} s, {tokens / seconds / 1e6:F2} million "
            + "tokens/s");
        Assert.That(tokens, Is.GreaterThan(texts.Count));
    }
}
