using System.Diagnostics;
using Harness.Models.Llama.Generation;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>Continuous batching: answers are those of static batches, and slots are never idle while a request waits.</summary>
[Parallelizable]
internal sealed class ContinuousScheduleTests
{
    private static readonly SamplingParameters s_sampled = new(Temperature: 0.9f, TopK: 50, TopP: 0.95f, RepetitionPenalty: 1.1f);

    /// <summary>Outputs of 1 to 12 tokens, so that slots fall free one by one.</summary>
    private static Sequence[] Requests() => [.. Stories.RaggedPrompts().Select((prompt, i) => new Sequence(i, i, prompt, i * 7 % 12 + 1))];

    [Test]
    public void EachRequestGetsTheTokensOfAStaticBatch(
        [Values] bool sampled, [Values(1, 5, 64)] int slots, [Values(5, 1024)] int prefillRows,
        [Values("1 1 1", "2 1 1", "1 2 2", "2 2 3", "1 5 5")] string layout)
    {
        var (tensor, pipeline, microBatches) = layout.Split(' ').Select(int.Parse).ToArray() is [var t, var p, var m] ? (t, p, m) : default;
        var settings = new GenerationSettings(sampled ? s_sampled : new(), Seed: 7, new HashSet<int>(), microBatches, prefillRows);
        var expected = new ShardedModel(Stories.Directory).Generate(Requests(), settings with { MicroBatches = 1, PrefillRows = 1024 })[0];
        var ranks = new ShardedModel(Stories.Directory, tensor, pipeline).OnEveryRank(rank =>
        {
            var requests = Requests();
            using var cache = rank.Stage.NewCache(slots, 60);
            var outcome = new Generator(rank.Backend, rank.Stage, rank.Group, settings).Run(new ContinuousSchedule(requests, slots), cache);
            Assert.That(outcome.Stopped, Is.False);
            return requests.Select(request => request.Output).ToArray();
        });
        Assert.That(ranks, Is.All.EqualTo(expected));
    }

    [Test]
    public void AFreeSlotIsFilledAtTheNextPassAndPromptsShareItWithDecodingSequences()
    {
        // Two slots; outputs of 3, 1, 2 and 2 tokens. Each line is a pass: what is decoded, and whose prompt goes in.
        var steps = Steps([3, 1, 2, 2], slots: 2, prefillRows: 1024);
        Assert.That(steps.Select(Describe),
            Is.EqualTo(new[] { "Prefill p0 p1", "Mixed d0 p2", "Decode d0 d2", "Prefill p3", "Decode d3" }));
    }

    [Test]
    public void PromptsGetTheRoomThatDecodingSequencesLeave()
    {
        // Prompts of four tokens, four tokens a pass: one prompt; then 1 decodes, 3 of the next prompt; 1 more completes it beside it …
        var steps = Steps([4, 4], slots: 2, prefillRows: 4, promptLength: 4);
        Assert.That(steps.Select(step => $"{Describe(step)}: {string.Join(' ', step.Shares.Select(share => share.Tokens))}"),
            Is.EqualTo(new[]
        {
            "Prefill p0: 4", "Mixed d0 p1: 1 3", "Mixed d0 p1: 1 1", "Decode d0 d1: 1 1", "Decode d1: 1", "Decode d1: 1",
        }));
    }

    [Test]
    public void StepsAccountForEveryTokenOnce([Values(1, 3)] int microBatches, [Values(7, 1024)] int prefillRows)
    {
        const int slots = 6;
        var (steps, requests, finished) = new ShardedModel(Stories.Directory).OnEveryRank(rank =>
        {
            var requests = Requests();
            using var cache = rank.Stage.NewCache(slots, 60);
            var seen = new List<Step>();
            var finished = new List<Sequence>();
            var schedule = new ContinuousSchedule(requests, slots);
            new Generator(rank.Backend, rank.Stage, rank.Group,
                ShardedModel.Greedy with { MicroBatches = microBatches, PrefillRows = prefillRows }).Run(schedule, cache, step =>
            {
                seen.Add(step);
                finished.AddRange(schedule.TakeFinished());
            });
            return (seen, requests, finished);
        })[0];
        Assert.Multiple(() =>
        {
            foreach (var request in requests)
            {
                Assert.That(Tokens(request.Id, isPrefill: true), Is.EqualTo(request.PromptLength));
                Assert.That(Tokens(request.Id, isPrefill: false), Is.EqualTo(request.OutputLength - 1),
                    "the first token comes of the prefill");
                Assert.That(request.TokenTicks[0], Is.GreaterThan(request.StartTicks));
                Assert.That(request.QueueTicks, Is.Null, "nothing arrives in a closed loop");
            }
            Assert.That(finished.Select(request => request.Id), Is.EquivalentTo(requests.Select(request => request.Id)),
                "each is handed out once");
            Assert.That(finished.Select(request => request.TokenTicks[^1]), Is.Ordered);
            Assert.That(steps.Max(step => step.Shares.Length), Is.LessThanOrEqualTo((slots + microBatches - 1) / microBatches));
            Assert.That(steps.Where(step => step.Kind != StepKind.Decode).Max(step => step.Shares.Sum(share => share.Tokens)),
                Is.LessThanOrEqualTo(prefillRows));
            Assert.That(steps.Select(step => step.MicroBatch).Distinct(), Is.EquivalentTo(Enumerable.Range(0, microBatches)));
        });

        int Tokens(int id, bool isPrefill) =>
            steps.SelectMany(step => step.Shares).Where(share => share.SequenceId == id && share.IsPrefill == isPrefill)
            .Sum(share => share.Tokens);
    }

    [TestCase(1, 1, 1)]
    [TestCase(2, 2, 2)]
    public void RequestsThatArriveWaitForTheirTimeAndForASlot(int tensor, int pipeline, int microBatches)
    {
        double[] arrivals = [0.05, 0.06, 0.06, 0.06, 0.5];
        var ranks = new ShardedModel(Stories.Directory, tensor, pipeline).OnEveryRank(rank =>
        {
            Sequence[] requests = [.. Stories.RaggedPrompts()[..5].Select((prompt, i) => new Sequence(i, i, prompt, 10))];
            using var cache = rank.Stage.NewCache(2, 60);
            var waits = 0;
            var outcome = new Generator(rank.Backend, rank.Stage, rank.Group, ShardedModel.Greedy with { MicroBatches = microBatches })
                .Run(new ContinuousSchedule(requests, 2, arrivals), cache, waited: () => waits++);
            return (requests, outcome, waits);
        });
        var expected = new ShardedModel(Stories.Directory).Generate(Stories.RaggedPrompts()[..5], 10);
        foreach (var (requests, outcome, waits) in ranks)
            Assert.Multiple(() =>
            {
                Assert.That(requests.Select(request => request.Output), Is.EqualTo(expected));
                Assert.That(requests.Select(request => (request.StartTicks - outcome.StartTicks) / (double)Stopwatch.Frequency),
                    Is.EqualTo(arrivals).Within(1e-6), "a clock starts at the arrival");
                Assert.That(requests.Select(request => request.QueueTicks), Is.All.GreaterThanOrEqualTo(0));
                Assert.That(requests.All(request => request.TokenTicks[0] > request.StartTicks + request.QueueTicks),
                    "a token comes after the slot");
                Assert.That(requests[3].StartTicks + requests[3].QueueTicks,
                    Is.GreaterThanOrEqualTo(requests[..3].Min(request => request.TokenTicks[^1])), "two slots: the fourth waits for one");
                Assert.That(waits, Is.InRange(1, 20), "they sleep, and do not spin");
            });
    }

    [Test]
    public void ARankThatBeginsLateGivesNoTokenBeforeItsRequestHasArrived()
    {
        double[] arrivals = [0.01, 0.05, 0.1, 0.15, 0.2];
        var requests = new ShardedModel(Stories.Directory, Pipeline: 2).OnEveryRank(rank =>
        {
            Sequence[] requests = [.. Stories.RaggedPrompts()[..5].Select((prompt, i) => new Sequence(i, i, prompt, 1))];
            using var cache = rank.Stage.NewCache(5, 60);
            if (rank.World.Rank == 0) Thread.Sleep(300);        // by the sampling rank's clock all have arrived before this one begins
            new Generator(rank.Backend, rank.Stage, rank.Group, ShardedModel.Greedy)
                .Run(new ContinuousSchedule(requests, 5, arrivals), cache);
            return requests;
        })[0];
        Assert.That(requests.Select(request => request.TokenTicks[0] - request.StartTicks - request.QueueTicks), Is.All.Positive,
            "of each, on the rank whose times are reported: from the slot to the first token");
    }

    [TestCase(1, 1, 1)]
    [TestCase(2, 2, 3)]
    public void AStopKeepsWhatHasFinishedAndEndsEveryRankAtTheSameToken(int tensor, int pipeline, int microBatches)
    {
        var asked = 0;
        var ranks = new ShardedModel(Stories.Directory, tensor, pipeline).OnEveryRank(rank =>
        {
            var generator = new Generator(rank.Backend, rank.Stage, rank.Group, ShardedModel.Greedy with { MicroBatches = microBatches });
            using var cache = rank.Stage.NewCache(6, 60);
            var (first, second) = (Requests(), Requests());
            var schedule = new ContinuousSchedule(first, 6);
            var stopped = generator.Run(schedule, cache, stopRequested: () => Interlocked.Increment(ref asked) == 8 * microBatches).Stopped;
            generator.Run(new ContinuousSchedule(second, 6), cache);      // finds no message of the one before
            return (stopped, First: first.Select(request => request.Output).ToArray(), Finished: schedule.TakeFinished()
                .Select(request => request.Id).ToArray(), Second: second.Select(request => request.Output).ToArray());
        });
        var expected = new ShardedModel(Stories.Directory).Generate(Requests(), ShardedModel.Greedy)[0];
        Assert.Multiple(() =>
        {
            Assert.That(ranks.Select(rank => rank.stopped), Is.All.True);
            Assert.That(ranks.Select(rank => rank.First), Is.All.EqualTo(ranks[0].First), "all ranks have the same tokens");
            Assert.That(ranks.Select(rank => rank.Second), Is.All.EqualTo(expected));
            Assert.That(ranks[0].Finished, Has.Length.InRange(1, expected.Length - 1));
            foreach (var id in ranks[0].Finished) Assert.That(ranks[0].First[id], Is.EqualTo(expected[id]));
        });
    }

    private static List<Step> Steps(int[] outputs, int slots, int prefillRows, int promptLength = 1) =>
        new ShardedModel(Stories.Directory).OnEveryRank(rank =>
    {
        Sequence[] requests = [.. outputs.Select((length, i) => new Sequence(i, i, Stories.LongText[..promptLength], length))];
        using var cache = rank.Stage.NewCache(slots, 60);
        var steps = new List<Step>();
        new Generator(rank.Backend, rank.Stage, rank.Group, ShardedModel.Greedy with { PrefillRows = prefillRows })
            .Run(new ContinuousSchedule(requests, slots), cache, steps.Add);
        return steps;
    })[0];

    private static string Describe(Step step) =>
        $"{step.Kind} {string.Join(' ', step.Shares.Select(share => $"{(share.IsPrefill ? 'p' : 'd')}{share.SequenceId}"))}";
}
