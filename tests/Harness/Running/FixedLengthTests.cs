using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Tokenizers;
using Harness.Running;

namespace Harness.Tests.Running;

/// <summary>Prompts brought to a length, with LLaMA's byte pieces: 1 is beginning-of-text, a byte b is the id b + 3.</summary>
[TestFixture]
public sealed class FixedLengthTests
{
    private const int A = 'a' + 3, B = 'b' + 3, C = 'c' + 3;

    [TestCase(true, "abc", 9, new[] { 1, A, B, C, A, B, C, A, B }, TestName = "{m}(repeated behind one beginning-of-text)")]
    [TestCase(true, "abc", 4, new[] { 1, A, B, C }, TestName = "{m}(of that length already)")]
    [TestCase(true, "abcabc", 3, new[] { 1, A, B }, TestName = "{m}(cut)")]
    [TestCase(false, "abc", 7, new[] { A, B, C, A, B, C, A }, TestName = "{m}(a model without beginning-of-text)")]
    [TestCase(false, "a", 3, new[] { A, A, A }, TestName = "{m}(one token)")]
    public void Exactly(bool begins, string text, int tokens, int[] expected)
    {
        var prompt = new Prompt { Index = 0, Dataset = "jsonl", Text = text, Question = text, Source = "p.jsonl:1" };
        var workload = Workload.Of([prompt], PromptForm.Plain(new Bytes(begins)), new GenerationOptions { MaxNewTokens = 2 }, tokens,
            new SyntheticCheckpoint("synthetic:7b").Config, new NoProgress());
        Assert.That(workload.Items.Single().Tokens, Is.EqualTo(expected));
    }

    private sealed class Bytes(bool begins) : ITokenizer
    {
        private readonly ByteTokenizer _bytes = new();

        public int VocabularySize => _bytes.VocabularySize;
        public int? BeginOfText => begins ? _bytes.BeginOfText : null;
        public IReadOnlySet<int> EndOfText => _bytes.EndOfText;
        public int[] Encode(string text, bool addBeginOfText) => _bytes.Encode(text, addBeginOfText && begins);
        public ITokenDecoder NewDecoder(bool continuation = false) => _bytes.NewDecoder(continuation);
    }
}
