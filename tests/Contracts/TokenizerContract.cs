using Harness.Models.Llama.Tokenizers;
using Harness.Tests.Models.Llama.Tokenizers;

namespace Harness.Tests.Contracts;

/// <summary>What holds for every tokenizer, whichever files it reads and whoever wrote it.</summary>
public abstract class TokenizerContract
{
    protected abstract ITokenizer Tokenizer { get; }

    /// <summary>The name of a special token in a text is that token.</summary>
    protected virtual bool ReadsSpecialTokens => false;

    /// <summary>Repetitions that quadratic merging would take minutes for.</summary>
    protected virtual int LongRun => 200_000;

    [Test]
    public void DecodingUndoesEncoding()
    {
        var tokenizer = Tokenizer;
        foreach (var text in Texts(300))
            Assert.That(tokenizer.Decode(tokenizer.Encode(text, addBeginOfText: true)), Is.EqualTo(text));
    }

    [Test]
    public void StreamedTextGrowsByWholeCharacters()
    {
        var tokenizer = Tokenizer;
        foreach (var text in Texts(60))
        {
            var decoder = tokenizer.NewDecoder();
            var streamed = "";
            foreach (var id in tokenizer.Encode(text, addBeginOfText: false))
            {
                streamed += decoder.Append(id);
                Assert.That(text, Does.StartWith(streamed));
                Assert.That(streamed.Length == 0 || !char.IsHighSurrogate(streamed[^1]));
            }
            Assert.That(streamed + decoder.Flush(), Is.EqualTo(text));
        }
    }

    [Test]
    public void ATextCutAnywhereIsItsTwoPartsTheSecondAsAContinuation()
    {
        var tokenizer = Tokenizer;
        foreach (var text in Texts(60))
        {
            var ids = tokenizer.Encode(text, addBeginOfText: false);
            for (var cut = 1; cut < ids.Length; cut++)
            {
                var decoder = tokenizer.NewDecoder();
                var start = string.Concat(ids[..cut].Select(decoder.Append));
                if (decoder.Flush() is { Length: > 0 } rest)
                {
                    if (rest.Contains('\uFFFD')) continue; // cut inside a character: neither part has it
                    start += rest;
                }
                // With SentencePiece a first ▁ stands for the prefix, not for text; then nothing precedes the second part.
                var second = tokenizer.Decode(ids.AsSpan(cut), continuation: true);
                Assert.That(start + second, Is.EqualTo(text), $"cut at {cut}");
            }
        }
    }

    [Test]
    public void RandomIdsGiveWholeCharacters()
    {
        var tokenizer = Tokenizer;
        var random = new Random(5);
        for (var i = 0; i < 300; i++)
        {
            var ids = Enumerable.Range(0, random.Next(1, 12))
                .Select(_ => random.Next(Math.Min(tokenizer.VocabularySize, random.Next(2) == 0 ? 300 : int.MaxValue))).ToArray();
            var decoder = tokenizer.NewDecoder();
            string[] streamed = [.. ids.Select(decoder.Append), decoder.Flush()];
            Assert.That(string.Concat(streamed), Is.EqualTo(tokenizer.Decode(ids)));
            Assert.That(streamed.Where(part => part.Length > 0 && (char.IsLowSurrogate(part[0]) || char.IsHighSurrogate(part[^1]))),
                Is.Empty);
        }
    }

    [Test]
    public void EndsAndIdsBeyondTheVocabularyGiveNoText()
    {
        var tokenizer = Tokenizer;
        int[] silent = [.. tokenizer.EndOfText, tokenizer.VocabularySize, int.MaxValue, -1];
        Assert.That(tokenizer.Decode(silent), Is.Empty);
    }

    [Test]
    public void LoneSurrogatesAreReadAsReplacementCharacters()
    {
        var tokenizer = Tokenizer;
        foreach (var (text, same) in new[] { ("\uD800", "\uFFFD"), ("a\uDC00 b", "a\uFFFD b"), ("\uDC00\uD800", "\uFFFD\uFFFD"),
            ("\uD83D", "\uFFFD") })
            Assert.That(tokenizer.Encode(text, addBeginOfText: false), Is.EqualTo(tokenizer.Encode(same, addBeginOfText: false)));
    }

    [Test]
    public void NoTextHasNoIds()
    {
        var tokenizer = Tokenizer;
        Assert.That(tokenizer.Encode("", addBeginOfText: false), Is.Empty);
        int?[] begin = [tokenizer.BeginOfText];
        Assert.That(tokenizer.Encode("", addBeginOfText: true), Is.EqualTo(begin.OfType<int>()));
    }

    [Test]
    public void ThreadsMayShareATokenizer()
    {
        var (shared, texts) = (Tokenizer, Texts(200));
        var together = texts.AsParallel().AsOrdered().WithDegreeOfParallelism(4).Select(t => shared.Encode(t, addBeginOfText: false))
            .ToList();
        Assert.That(together, Is.EqualTo(texts.Select(t => shared.Encode(t, addBeginOfText: false))));
    }

    [TestCase("a")]
    [TestCase(" ")]
    [TestCase("ab")]
    [TestCase("中")]
    [CancelAfter(60_000)]
    public void LongRunsTakeNoQuadraticTime(string part)
    {
        var tokenizer = Tokenizer;
        var text = string.Concat(Enumerable.Repeat(part, LongRun));
        Assert.That(tokenizer.Decode(tokenizer.Encode(text, addBeginOfText: false)) == text);
    }

    // A special token standing in the text is text again only where the reference leaves it text.
    private List<string> Texts(int count) => [.. TokenizerFixtures.RandomTexts(count, seed: 3).Where(t =>
        !ReadsSpecialTokens || !(t.Contains("<s>") || t.Contains("</s>")))];
}
