using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>The model against the float64 forward pass, and both against ids from elsewhere.</summary>
internal sealed class ForwardPassTests
{
    /// <summary>
    /// Logits here are below 5 and come of sums of fewer than 700 float32 products a layer: rounding errors of 6e-8 of each
    /// partial sum, in every layer, add up to a few millionths.
    /// </summary>
    private const double Float32Tolerance = 3e-5;

    [Test]
    public void TheReferenceItselfContinuesStoriesAsThreeOtherImplementationsDo()
    {
        var expected = Stories.Continuation;
        var session = new ReferenceModel.Session(new(Stories.Directory));
        var (actual, token) = (new List<int>(), Stories.BeginOfText);
        while (actual.Count < expected.Length) actual.Add(token = Logits.ArgMax(session.Next(token)));
        Assert.That(expected, Has.Length.EqualTo(199));
        Assert.That(actual, Is.EqualTo(expected));
    }

    [Test]
    public void GreedyFromBeginningOfTextReproducesThe199IdsOfTheReference()
    {
        var expected = Stories.Continuation;
        var actual = new ShardedModel(Stories.Directory).Generate([[Stories.BeginOfText]], expected.Length);
        Assert.That(actual[0], Is.EqualTo(expected));
    }

    [Test]
    public void LogitsOfALongTextAreWithin1e4OfFloat64()
    {
        var tokens = Stories.LongText;
        var actual = new ShardedModel(Stories.Directory).Logits(tokens);
        Assert.That(actual, Has.Length.EqualTo(300));
        Assert.That(Logits.LargestDifference(actual, new ReferenceModel(Stories.Directory).Logits(tokens)), Is.LessThan(1e-4));
    }

    [TestCaseSource(nameof(Architectures))]
    public void RandomWeightsOfAnyShapeGiveTheLogitsOfFloat64(TinyCheckpoint model)
    {
        using var scratch = new ScratchDirectory();
        var directory = model.Write(scratch);
        Assert.That(Difference(directory, null), Is.LessThan(Float32Tolerance));
    }

    /// <summary>Activations stay float32, so that only the rounding of the weights matters, and the reference does the same.</summary>
    [Test]
    public void WeightsStoredInAnotherTypeGiveTheLogitsOfWeightsRoundedToIt(
        [Values(DType.F32, DType.BF16, DType.F16)] DType inFile, [Values(DType.F32, DType.BF16, DType.F16)] DType kept)
    {
        using var scratch = new ScratchDirectory();
        var directory = new TinyCheckpoint { DType = inFile, KeyValueHeads = 2, FeedForward = 22, Hidden = 64, Heads = 8 }.Write(scratch);
        Assert.That(Difference(directory, kept), Is.LessThan(Float32Tolerance));
    }

    [TestCase(64, 96)]
    [TestCase(40, 44, Description = "groups that are cut short by the end of a row")]
    public void Int8WeightsGiveTheLogitsOfWeightsAndActivationsRoundedInGroups(int hidden, int feedForward)
    {
        using var scratch = new ScratchDirectory();
        var directory = new TinyCheckpoint { Hidden = hidden, FeedForward = feedForward, KeyValueHeads = 2 }.Write(scratch);
        var tokens = Tokens(67, 100);
        var actual = new ShardedModel(directory) { Storage = DType.Int8 }.Logits(tokens);
        Logits.AreThoseOfRoundedGroups(actual, new ReferenceModel(directory, DType.Int8).Logits(tokens));
    }

    [Test]
    public void RoundingTheWeightsIsVisibleBesideTheTolerance()
    {
        using var scratch = new ScratchDirectory();
        var directory = new TinyCheckpoint().Write(scratch);
        var tokens = Tokens(67, 40);
        var actual = new ShardedModel(directory) { Storage = DType.BF16 }.Logits(tokens);
        Assert.That(Logits.LargestDifference(actual, new ReferenceModel(directory).Logits(tokens)), Is.GreaterThan(100 * Float32Tolerance));
    }

    private static double Difference(string directory, DType? kept)
    {
        var reference = new ReferenceModel(directory, kept);
        var tokens = Tokens(reference.Vocabulary, 150);
        var expected = reference.Logits(tokens);
        var difference = Logits.LargestDifference(new ShardedModel(directory) { Storage = kept }.Logits(tokens), expected);
        TestContext.Out.WriteLine($"largest difference {difference:g3} of logits up to {expected.Max(row => row.Max(Math.Abs)):g3}");
        return difference;
    }

    private static int[] Tokens(int vocabulary, int count)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
    }

    private static IEnumerable<TestCaseData> Architectures()
    {
        const string llama3 = """
            "rope_theta": 10000, "rope_scaling": { "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64 }
            """;
        const string qwen2 = """ "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2" """;
        const string qwen3 = """ "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3" """;
        const string window = """ "architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": """;
        (string Name, TinyCheckpoint Model)[] cases =
        [
            ("multi-head attention", new()),
            ("grouped-query attention", new() { Heads = 8, KeyValueHeads = 2 }),
            ("multi-query attention", new() { Heads = 4, KeyValueHeads = 1 }),
            ("tied head", new() { Tied = true }),
            ("head_dim above hidden / heads", new() { HeadDimension = 24, KeyValueHeads = 2 }),
            ("head_dim below hidden / heads", new() { HeadDimension = 2 }),
            ("head_dim where heads do not divide hidden", new() { Hidden = 30, Heads = 4, HeadDimension = 10 }),
            ("feed-forward of 22", new() { FeedForward = 22 }),
            ("feed-forward of 172", new() { FeedForward = 172, Hidden = 64, Heads = 8 }),
            ("widths that no vector divides", new() { Hidden = 42, Heads = 3, KeyValueHeads = 3, FeedForward = 37, Vocabulary = 101 }),
            ("one layer", new() { Layers = 1 }),
            ("many layers", new() { Layers = 7 }),
            ("three shards", new() { Shards = 3 }),
            ("bf16 in shards", new() { DType = DType.BF16, Shards = 2 }),
            ("f16", new() { DType = DType.F16, KeyValueHeads = 2 }),
            ("theta 500000", new() { Further = "\"rope_theta\": 500000.0" }),
            ("rms_norm_eps of another size", new() { Further = "\"rms_norm_eps\": 0.5" }),
            ("linear scaling", new() { Further = "\"rope_scaling\": { \"type\": \"linear\", \"factor\": 2.5 }" }),
            ("llama3 scaling", new() { HeadDimension = 16, Further = llama3 }),
            ("rope_parameters", new() { Further =
                "\"rope_parameters\": { \"rope_type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 30000.0 }" }),
            ("Qwen2", new() { QkvBias = true, KeyValueHeads = 2, Tied = true, Further = qwen2 }),
            ("Qwen2 in bf16", new() { QkvBias = true, DType = DType.BF16, Further = qwen2 }),
            ("Qwen3", new() { HeadNorms = true, KeyValueHeads = 2, HeadDimension = 12, Further = qwen3 }),
            ("Qwen3 with heads that no vector divides", new() { HeadNorms = true, HeadDimension = 22, Tied = true, Further = qwen3 }),
            ("sliding window", new() { Further = window + "20" }),
            ("sliding window across chunks of the key cache", new() { KeyValueHeads = 1, Further = window + "17" }),
            ("sliding window of one token", new() { Further = window + "1" }),
            ("sliding window longer than the text", new() { Further = window + "200" }),
        ];
        return cases.Select((c, i) => new TestCaseData(c.Model with { Seed = i + 1 }).SetArgDisplayNames(c.Name));
    }
}
