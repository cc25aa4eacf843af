using System.Text.Json.Nodes;
using Harness.Models.Llama.Generation;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>One model over many ranks, as threads, against the same model on one.</summary>
[Parallelizable]
internal sealed class ShardingEquivalenceTests
{
    private const int NewTokens = 40;

    private int[] _text = [];
    private int[][] _prompts = [], _greedy = [], _sampled = [];
    private float[][] _logits = [];

    private static GenerationSettings Sampled => new(new SamplingParameters(0.8f, 0, 0.95f, 1.1f), Seed: 5, new HashSet<int>());

    [OneTimeSetUp]
    public void Unsharded()
    {
        var model = new ShardedModel(Stories.Directory);
        _text = Stories.LongText[..200];
        _prompts = Stories.RaggedPrompts()[..5];
        _greedy = model.Generate(_prompts, NewTokens);
        _sampled = model.Generate(_prompts, NewTokens, Sampled);
        _logits = model.Logits(_text);
    }

    [TestCase(1, 1)]
    [TestCase(2, 1)]
    [TestCase(4, 1)]
    [TestCase(8, 1, Description = "four key/value heads, each on two ranks")]
    [TestCase(1, 2)]
    [TestCase(1, 5)]
    [TestCase(2, 2)]
    [TestCase(2, 4, Description = "five layers over four stages")]
    [TestCase(4, 5)]
    [TestCase(8, 4, Description = "32 ranks")]
    public void ShardedStoriesAreTheSameStories(int tensor, int pipeline)
    {
        var model = new ShardedModel(Stories.Directory, tensor, pipeline);
        var continuation = Stories.Continuation;
        Sequence[] sequences =
            [new(0, 0, [Stories.BeginOfText], continuation.Length),
            .. _prompts.Select((prompt, i) => new Sequence(i + 1, i, prompt, NewTokens))];
        var ranks = model.Generate(sequences, ShardedModel.Greedy with { MicroBatches = pipeline });
        var logits = model.Logits(_text);
        Assert.Multiple(() =>
        {
            Assert.That(ranks[0][0], Is.EqualTo(continuation));
            Assert.That(ranks[0].Skip(1), Is.EqualTo(_greedy));
            Assert.That(ranks, Is.All.EqualTo(ranks[0]), "every rank knows every token");
            Assert.That(Logits.LargestDifference(logits, _logits), Is.LessThan(1e-4));
        });
    }

    [TestCase(8, 1)]
    [TestCase(2, 2)]
    [TestCase(1, 3)]
    public void SamplingDrawsTheSameTokens(int tensor, int pipeline) =>
        Assert.That(new ShardedModel(Stories.Directory, tensor, pipeline).Generate(_prompts, NewTokens, Sampled with { MicroBatches = 2 }),
            Is.EqualTo(_sampled));

    [TestCase(3, 1)]
    [TestCase(6, 2)]
    [TestCase(12, 3)]
    public void UnevenSlicesAndSharedHeadsGiveTheLogitsOfFloat64(int tensor, int pipeline)
    {
        using var scratch = new ScratchDirectory();
        var directory = new TinyCheckpoint
        {
            Heads = 12,
            KeyValueHeads = 3,
            HeadDimension = 4,
            Layers = 4,
            FeedForward = 37,
            Vocabulary = 101,
            DType = DType.BF16,
            Shards = 2,
            Further = """ "architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": 11 """,
        }.Write(scratch);
        int[] tokens = [.. Enumerable.Range(0, 60).Select(i => i * 31 % 101)];
        var logits = new ShardedModel(directory, tensor, pipeline).Logits(tokens);
        Assert.That(Logits.LargestDifference(logits, new ReferenceModel(directory).Logits(tokens)), Is.LessThan(1e-4));
    }

    /// <summary>A bias is cut as the rows of its matrix, a head's norm lies on every rank whole.</summary>
    [TestCase("qwen2", 1, 2)]
    [TestCase("qwen2", 2, 2)]
    [TestCase("qwen2", 8, 1, Description = "four key/value heads, each on two ranks")]
    [TestCase("qwen3", 2, 3)]
    [TestCase("qwen3", 8, 1)]
    public void RelativesGiveTheLogitsOfFloat64(string family, int tensor, int pipeline)
    {
        using var scratch = new ScratchDirectory();
        var directory = new TinyCheckpoint
        {
            Heads = 8,
            HeadDimension = 12,
            Layers = 3,
            DType = DType.BF16,
            QkvBias = family == "qwen2",
            HeadNorms = family == "qwen3",
            Further = $""" "architectures": null, "model_type": "{family}" """,
        }.Write(scratch);
        int[] tokens = [.. Enumerable.Range(0, 60).Select(i => i * 31 % 67)];
        var logits = new ShardedModel(directory, tensor, pipeline).Logits(tokens);
        Assert.That(Logits.LargestDifference(logits, new ReferenceModel(directory).Logits(tokens)), Is.LessThan(1e-4));
    }

    /// <summary>
    /// A value that travels as bfloat16 is off by up to 1/512 of itself. Here 11 sums and a stage boundary do so one after the
    /// other; independent errors grow with the root of their number: √12 / 512 is 0.7 %.
    /// </summary>
    [TestCase(2, 1)]
    [TestCase(8, 1)]
    [TestCase(4, 2)]
    public void ActivationsThatTravelAsBf16StayClose(int tensor, int pipeline)
    {
        var model = new ShardedModel(Stories.Directory, tensor, pipeline) { Wire = DType.BF16 };
        var distance = Logits.RelativeDistance(model.Logits(_text), _logits);
        TestContext.Out.WriteLine($"relative distance {distance:g3}");
        Assert.That(distance, Is.GreaterThan(0).And.LessThan(0.007));
        Assert.That(model.Generate(_prompts, NewTokens).Select(tokens => tokens.Length), Is.All.EqualTo(NewTokens));
    }

    /// <summary>
    /// Every rank's values and scales are those of the whole, and so are its rounded activations. 172 features are 96 and 76.
    /// </summary>
    [TestCase(2, 1)]
    [TestCase(1, 5)]
    [TestCase(2, 2)]
    public void Int8ShardsComputeTheModelOfOneRank(int tensor, int pipeline)
    {
        var one = new ShardedModel(Stories.Directory) { Storage = DType.Int8 };
        var many = new ShardedModel(Stories.Directory, tensor, pipeline) { Storage = DType.Int8 };
        var (actual, expected) = (many.Logits(_text), one.Logits(_text));
        if (tensor == 1) Assert.That(actual, Is.EqualTo(expected));
        else Logits.AreThoseOfRoundedGroups(actual, [.. expected.Select(row => Array.ConvertAll(row, value => (double)value))]);
    }

    [Test]
    public void EachRankReadsAndHoldsItsSlicesAlone()
    {
        // A tied head lies on the first and on the last stage; key/value heads on two ranks each; norms on every rank.
        const int hidden = 64, vocabulary = 512, layers = 5, queries = 8 * 8, keyValues = 4 * 8, feedForward = 172;
        const long layer = hidden * (2 * queries + 2 * keyValues + 3 * feedForward), norms = 2 * hidden;
        var bytes = new ShardedModel(Stories.Directory, 4, 5).OnEveryRank(rank => (rank.Stage.BytesRead, rank.Stage.BytesResident));
        Assert.Multiple(() =>
        {
            Assert.That(bytes.Select(b => b.BytesResident), Is.EqualTo(bytes.Select(b => b.BytesRead)),
                "float32 in the file and in memory");
            for (var rank = 0; rank < bytes.Length; rank++)
            {
                var table = rank / 4 is 0 or layers - 1 ? vocabulary * hidden / 4 : 0;
                var lastNorm = rank / 4 == layers - 1 ? hidden : 0;
                Assert.That(bytes[rank].BytesRead, Is.EqualTo(4 * (layer / 4 + norms + table + lastNorm)), $"rank {rank}");
            }
        });
    }

    [TestCase(1, 1)]
    [TestCase(2, 1)]
    [TestCase(8, 1)]
    [TestCase(2, 3)]
    [TestCase(4, 6)]
    [TestCase(8, 4)]
    public void TheDemoModelGivesTheTokensOfItsTrainingProgram(int tensor, int pipeline)
    {
        var root = SharedData.RepositoryRoot;
        var reference = JsonNode.Parse(File.ReadAllText(Path.Combine(root, "tools", "demo-model", "reference.json")))!.AsArray();
        var (prompts, expected) = (Ids("prompt_ids"), Ids("output_ids"));
        Sequence[] sequences = [.. prompts.Select((prompt, i) => new Sequence(i, i, prompt, 250))];
        var actual = new ShardedModel(Path.Combine(root, "src", "Harness", "Demo", "model"), tensor, pipeline)
            .Generate(sequences, ShardedModel.Greedy with { EndOfText = new HashSet<int> { 2 }, MicroBatches = pipeline });
        Assert.That(expected, Has.Length.GreaterThanOrEqualTo(6));
        Assert.That(actual[0], Is.EqualTo(expected));

        int[][] Ids(string key) => [.. reference.Select(r => r![key]!.AsArray().Select(id => (int)id!).ToArray())];
    }
}
