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

    /// <summary>A model of 2048 positions; prompts have 1 + 3 tokens of their own.</summary>
    [TestCase("arrival_s,input_tokens,output_tokens\n0,2,3\n1,6,1\n", null, 2, TestName = "{m}(both)")]
    [TestCase("arrival_s,output_tokens\n0,3\n1,1\n", null, 4, TestName = "{m}(of outputs alone)")]
    [TestCase("arrival_s,input_tokens,output_tokens\n0,2,9\n1,6,1\n",
        "1 of 2 requests has output_tokens above --max-new-tokens 3; give --max-new-tokens 9, or take its times alone with --lengths limit")]
    [TestCase("arrival_s,input_tokens,output_tokens\n0,2046,3\n1,6000,1\n",
        "2 of 2 requests have more tokens than prompt and output together have room for (2048), first 2046 and 3 in line 2; use a")]
    [TestCase("arrival_s,input_tokens\n0,2\n1,2048\n",
        "1 of 2 requests has more tokens than prompt and output together have room for (2048), first 2048 and 1 in line 3; use a")]
    public void LengthsOfATraceAreHadExactlyOrRefused(string csv, string? refusal, int firstInput = 0)
    {
        using var scratch = new ScratchDirectory();
        var trace = ArrivalTrace.Read(scratch.File("t.csv", csv), 2);
        Prompt[] prompts = [.. Enumerable.Range(0, 2).Select(i =>
            new Prompt { Index = i, Dataset = "jsonl", Text = "abc", Question = "abc", Source = $"p.jsonl:{i + 1}" })];
        Workload Make() => Workload.Of(prompts, PromptForm.Plain(new Bytes(true)), new GenerationOptions { MaxNewTokens = 3 }, 0,
            new SyntheticCheckpoint("synthetic:7b").Config, new NoProgress(), trace);
        if (refusal != null)
        {
            Assert.That(Make, Throws.TypeOf<UserErrorException>().With.Message.Contains(refusal));
            return;
        }
        var workload = Make();
        Assert.That(workload.Items.Select(item => item.Tokens.Length), Is.EqualTo((int[])[firstInput, firstInput == 4 ? 4 : 6]));
        Assert.That(workload.Items.Select(item => item.MaxNewTokens), Is.EqualTo((int[])[3, 1]));
        Assert.That(workload.Items.Select(item => item.ArrivalSeconds), Is.EqualTo((double?[])[0, 1]));
        Assert.That(workload.EndOfText, Is.Empty);
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
