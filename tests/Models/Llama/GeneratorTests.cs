using Harness.Common;
using Harness.Models.Llama.Generation;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>Static batches: what a prompt is answered must not depend on the company it is in.</summary>
[Parallelizable]
internal sealed class GeneratorTests
{
    private const int NewTokens = 12;
    private const int LineFeed = 13;

    private static readonly SamplingParameters s_sampled = new(Temperature: 0.9f, TopK: 50, TopP: 0.95f, RepetitionPenalty: 1.1f);

    private readonly Dictionary<SamplingParameters, int[][]> _alone = [];

    [Test]
    public void ARaggedBatchGivesEachPromptTheTokensItGetsAlone(
        [Values] bool sampled, [Values(1, 2, 3, 4)] int microBatches, [Values(5, 1024)] int prefillRows)
    {
        var settings = new GenerationSettings(sampled ? s_sampled : new(), Seed: 7, new HashSet<int>(), microBatches, prefillRows);
        var actual = new ShardedModel(Stories.Directory).Generate(Stories.RaggedPrompts(), NewTokens, settings);
        Assert.That(actual, Is.EqualTo(Alone(settings.Sampling)));
    }

    [Test]
    public void DrawsBelongToTheSeedAndThePromptsPlaceInItsDataSet()
    {
        var prompts = Stories.RaggedPrompts();
        var model = new ShardedModel(Stories.Directory);
        var settings = new GenerationSettings(s_sampled, Seed: 7, new HashSet<int>());
        Sequence[] others = [new(0, stream: 9, prompts[9], NewTokens), new(1, stream: 4, prompts[4], NewTokens),
            new(2, stream: 5, prompts[4], NewTokens)];
        var actual = model.Generate(others, settings)[0];
        Assert.Multiple(() =>
        {
            Assert.That(actual[0], Is.EqualTo(Alone(s_sampled)[9]));
            Assert.That(actual[1], Is.EqualTo(Alone(s_sampled)[4]));
            Assert.That(actual[2], Is.Not.EqualTo(Alone(s_sampled)[4]), "another place is another draw");
            Assert.That(model.Generate([prompts[9]], NewTokens, settings with { Seed = 8 })[0], Is.Not.EqualTo(Alone(s_sampled)[9]),
                "another seed too");
        });
    }

    /// <summary>Penalty, temperature, top-k, top-p as they are defined, on float64 logits, with SplitMix64's draws.</summary>
    [TestCase(0f, 0, 1f, 1.3f)]
    [TestCase(0f, 0, 1f, 0.7f)]
    [TestCase(0.8f, 0, 1f, 1f)]
    [TestCase(0.8f, 0, 0.95f, 1f)]
    [TestCase(1.5f, 20, 1f, 1f)]
    [TestCase(1.0f, 30, 0.8f, 1.2f)]
    public void TokensAreThoseOfAStraightforwardComputation(float temperature, int topK, float topP, float penalty)
    {
        const ulong seed = 3;
        var sampling = new SamplingParameters(temperature, topK, topP, penalty);
        int[] prompt = [Stories.BeginOfText, .. Stories.Continuation[..20]];
        var actual = new ShardedModel(Stories.Directory).Generate(
            [new Sequence(0, stream: 11, prompt, 60)], new GenerationSettings(sampling, seed, new HashSet<int>()))[0][0];

        var session = new ReferenceModel.Session(new(Stories.Directory));
        var history = new List<int>();
        double[] logits = [];
        foreach (var token in prompt) Take(token);
        var expected = new List<int>();
        while (expected.Count < 60)
        {
            expected.Add(Choose(logits, history, sampling, Draw(seed, 11, expected.Count)));
            Take(expected[^1]);
        }
        Assert.That(actual, Is.EqualTo(expected));

        void Take(int token)
        {
            history.Add(token);
            logits = session.Next(token);
        }
    }

    [Test]
    public void ASequenceEndsWithItsEndOfTextOrItsLengthWhileOthersGoOn()
    {
        var continuation = Stories.Continuation;
        var end = Array.IndexOf(continuation, LineFeed);
        int[] later = [Stories.BeginOfText, .. continuation[..30]];
        Sequence[] sequences =
            [new(0, 0, [Stories.BeginOfText], 199), new(1, 1, [Stories.BeginOfText], end), new(2, 2, later, end), new(3, 3, later, 1)];
        var (outputs, reachedEndOfText) = new ShardedModel(Stories.Directory).OnEveryRank(rank =>
        {
            using var cache = rank.Stage.NewCache(4, 250);
            var outcome = new Generator(rank.Backend, rank.Stage, rank.Group,
                ShardedModel.Greedy with { EndOfText = new HashSet<int> { LineFeed, 2 } }).Run(new StaticSchedule(sequences), cache);
            Assert.That(outcome.Stopped, Is.False);
            return (sequences.Select(s => s.Output).ToArray(), sequences.Select(s => s.ReachedEndOfText).ToArray());
        })[0];
        Assert.Multiple(() =>
        {
            Assert.That(end, Is.InRange(31, 150));
            Assert.That(outputs[0], Is.EqualTo(continuation[..(end + 1)]), "end-of-text is the last token of the output");
            Assert.That(outputs[1], Is.EqualTo(continuation[..end]));
            Assert.That(outputs[2], Is.EqualTo(continuation[30..(end + 1)]));
            Assert.That(outputs[3], Is.EqualTo(continuation[30..31]));
            Assert.That(reachedEndOfText, Is.EqualTo(new bool?[] { true, false, true, false }));
        });
    }

    /// <summary>Of two stages of two tensor ranks each: no rank's turns overlap, and what crossed its links lies within them.</summary>
    [Test]
    public void TurnsTellWhatEveryRankDidWithItsTime()
    {
        var prompts = Stories.RaggedPrompts();
        var tokens = (Prefill: prompts.Sum(prompt => prompt.Length), Decode: prompts.Length * (NewTokens - 1));
        var ranks = new ShardedModel(Stories.Directory, Tensor: 2, Pipeline: 2).OnEveryRank(rank =>
        {
            using var cache = rank.Stage.NewCache(prompts.Length, 60);
            Sequence[] sequences = [.. prompts.Select((prompt, i) => new Sequence(i, i, prompt, NewTokens))];
            var turns = new List<Turn>();
            var before = rank.Group.LinkStatistics;
            new Generator(rank.Backend, rank.Stage, rank.Group, ShardedModel.Greedy with { MicroBatches = 2 })
                .Run(new StaticSchedule(sequences), cache, turnEnded: turns.Add);
            return (Turns: turns, Links: rank.Group.LinkStatistics - before);
        });
        Assert.Multiple(() =>
        {
            foreach (var (rank, (turns, links)) in ranks.Index())
            {
                Assert.That(turns.Zip(turns.Skip(1)).Where(pair => pair.Second.StartTicks < pair.First.EndTicks), Is.Empty, $"rank {rank}");
                var passes = turns.FindAll(turn => !turn.IsWait);
                Assert.That((passes.Sum(pass => pass.PrefillTokens), passes.Sum(pass => pass.DecodeTokens)), Is.EqualTo(tokens));
                Assert.That(passes.Sum(pass => pass.Links.BytesSent), Is.EqualTo(links.BytesSent), "nothing is sent between passes");
                Assert.That(passes.Sum(pass => pass.Links.CollectiveSeconds), Is.EqualTo(links.CollectiveSeconds).Within(1e-9));
                Assert.That(passes.Sum(pass => pass.Links.TransferSeconds), Is.EqualTo(links.TransferSeconds).Within(1e-9));
                Assert.That(passes.Select(Seconds).Zip(passes, (seconds, pass) => seconds - pass.Links.CollectiveSeconds
                    - pass.Links.TransferSeconds - pass.Links.ReceiveSeconds), Is.All.GreaterThan(0), "a pass computes");
                var waits = turns.FindAll(turn => turn.IsWait);
                Assert.That(waits, rank == 2 ? Is.Empty : Has.Count.EqualTo(passes.Count), "for the tokens of rank 2");
                Assert.That(waits.Sum(Seconds) + passes.Sum(pass => pass.Links.ReceiveSeconds),
                    Is.GreaterThanOrEqualTo(links.ReceiveSeconds));
            }
            Assert.That(ranks.Select(rank => rank.Turns.Any(turn => turn.Links.ReceiveSeconds > 0)),
                Is.EqualTo(new[] { false, false, true, true }), "the last stage waits for the first");
        });

        static double Seconds(Turn turn) => (turn.EndTicks - turn.StartTicks) / (double)System.Diagnostics.Stopwatch.Frequency;
    }

    [Test]
    public void StepsAccountForEveryTokenOnce([Values(1, 3)] int microBatches, [Values(7, 1024)] int prefillRows)
    {
        var prompts = Stories.RaggedPrompts();
        var steps = new ShardedModel(Stories.Directory).OnEveryRank(rank =>
        {
            using var cache = rank.Stage.NewCache(prompts.Length, 60);
            Sequence[] sequences = [.. prompts.Select((prompt, i) => new Sequence(100 + i, i, prompt, NewTokens))];
            var seen = new List<Step>();
            var outcome = new Generator(rank.Backend, rank.Stage, rank.Group,
                ShardedModel.Greedy with { MicroBatches = microBatches, PrefillRows = prefillRows })
                .Run(new StaticSchedule(sequences), cache, seen.Add);
            Assert.That(seen.Select(s => s.EndTicks), Is.All.InRange(outcome.StartTicks, outcome.EndTicks));
            Assert.That(sequences.SelectMany(s => s.TokenTicks), Is.All.InRange(outcome.StartTicks, outcome.EndTicks));
            return seen;
        })[0];
        Assert.Multiple(() =>
        {
            foreach (var (prompt, i) in prompts.Select((prompt, i) => (prompt, i)))
            {
                Assert.That(Tokens(StepKind.Prefill, 100 + i), Is.EqualTo(prompt.Length));
                Assert.That(Tokens(StepKind.Decode, 100 + i), Is.EqualTo(NewTokens - 1), "the first token comes of the prefill");
            }
            Assert.That(steps.Where(s => s.Kind == StepKind.Prefill).Max(s => s.Shares.Sum(share => share.Tokens)),
                Is.LessThanOrEqualTo(prefillRows));
            Assert.That(steps.Select(s => s.MicroBatch).Distinct(), Is.EquivalentTo(Enumerable.Range(0, microBatches)));
        });

        int Tokens(StepKind kind, int sequence) =>
            steps.Where(s => s.Kind == kind).SelectMany(s => s.Shares).Where(s => s.SequenceId == sequence).Sum(s => s.Tokens);
    }

    /// <summary>After a stop, the next batch must find no message of the one before.</summary>
    [TestCase(1, 1, 1)]
    [TestCase(2, 2, 3)]
    [TestCase(1, 5, 5)]
    public void AStopRequestEndsTheBatchOnEveryRankAtTheSameToken(int tensor, int pipeline, int microBatches)
    {
        var prompts = Stories.RaggedPrompts()[..6];
        var settings = ShardedModel.Greedy with { MicroBatches = microBatches };
        var model = new ShardedModel(Stories.Directory, tensor, pipeline);
        var asked = 0;
        var ranks = model.OnEveryRank(rank =>
        {
            using var cache = rank.Stage.NewCache(prompts.Length, 100);
            var generator = new Generator(rank.Backend, rank.Stage, rank.Group, settings);
            Sequence[] stopped = [.. prompts.Select((prompt, i) => new Sequence(i, i, prompt, 50))];
            var outcome = generator.Run(new StaticSchedule(stopped), cache, stopRequested: () =>
                Interlocked.Increment(ref asked) == 4 * microBatches);
            Sequence[] next = [.. prompts.Select((prompt, i) => new Sequence(i, i, prompt, NewTokens))];
            var second = generator.Run(new StaticSchedule(next), cache);
            return (outcome.Stopped, Tokens: stopped.Select(s => s.Output).ToArray(), second.Stopped, Next: next.Select(s => s.Output)
                .ToArray());
        });
        var greedy = new ShardedModel(Stories.Directory).Generate(prompts, 50);
        Assert.Multiple(() =>
        {
            Assert.That(ranks.Select(r => r.Item1), Is.All.True);
            Assert.That(ranks.Select(r => r.Item3), Is.All.False);
            Assert.That(ranks.Select(r => r.Tokens), Is.All.EqualTo(ranks[0].Tokens), "all ranks have the same tokens");
            Assert.That(ranks[0].Tokens.Select(t => t.Length), Is.All.InRange(3, 6),
                "four rounds of micro-batches, some under way when it was asked");
            for (var i = 0; i < prompts.Length; i++) Assert.That(ranks[0].Tokens[i], Is.EqualTo(greedy[i][..ranks[0].Tokens[i].Length]));
            Assert.That(ranks.Select(r => r.Next), Is.All.EqualTo(greedy.Select(tokens => tokens[..NewTokens])));
        });
    }

    [Test]
    public void ABatchWhoseLastTokenHasComeIsFinishedAlsoWhenAStopWasAskedForMeanwhile()
    {
        var (outcome, reachedEndOfText) = new ShardedModel(Stories.Directory).OnEveryRank(rank =>
        {
            using var cache = rank.Stage.NewCache(1, 10);
            var sequence = new Sequence(0, 0, [Stories.BeginOfText], 5);
            var asked = 0;
            var outcome = new Generator(rank.Backend, rank.Stage, rank.Group, ShardedModel.Greedy)
                .Run(new StaticSchedule([sequence]), cache, stopRequested: () => ++asked == 5);
            return (outcome, sequence.ReachedEndOfText);
        })[0];
        Assert.That(reachedEndOfText, Is.False);
        Assert.That(outcome.Stopped, Is.False, "nothing was given up");
    }

    private int[][] Alone(SamplingParameters sampling)
    {
        if (_alone.TryGetValue(sampling, out var known)) return known;
        var model = new ShardedModel(Stories.Directory);
        return _alone[sampling] = model.OnEveryRank(rank => Stories.RaggedPrompts().Select((prompt, i) =>
        {
            using var cache = rank.Stage.NewCache(1, prompt.Length + NewTokens);
            var sequence = new Sequence(i, i, prompt, NewTokens);
            new Generator(rank.Backend, rank.Stage, rank.Group, new(sampling, Seed: 7, new HashSet<int>()))
                .Run(new StaticSchedule([sequence]), cache);
            return sequence.Output;
        }).ToArray())[0];
    }

    private static int Choose(double[] logits, List<int> history, SamplingParameters sampling, double draw)
    {
        var l = (double[])logits.Clone();
        foreach (var token in history.ToHashSet()) l[token] *= l[token] > 0 ? 1 / (double)sampling.RepetitionPenalty
            : sampling.RepetitionPenalty;
        if (sampling.Temperature == 0) return Logits.ArgMax(l);
        var ranked = l.Select((logit, token) => (Weight: Math.Exp((logit - l.Max()) / sampling.Temperature), Token: token))
            .OrderByDescending(c => c.Weight).ToList();
        if (sampling.TopK > 0) ranked = ranked[..sampling.TopK];
        var (nucleus, all) = (0.0, ranked.Sum(c => c.Weight));
        var kept = ranked.TakeWhile(c => (nucleus += c.Weight) - c.Weight < sampling.TopP * all).OrderBy(c => c.Token).ToList();
        var target = draw * kept.Sum(c => c.Weight);
        var walked = 0.0;
        return kept.First(c => (walked += c.Weight) > target).Token;
    }

    /// <summary>Seed, place and step hashed one into the other; the upper 53 bits as a fraction.</summary>
    private static double Draw(ulong seed, uint stream, int step)
    {
        var hash = new SplitMix64(new SplitMix64(new SplitMix64(seed).Next() + stream).Next() + (ulong)step).Next();
        return Math.ScaleB(hash >> 11, -53);
    }
}
