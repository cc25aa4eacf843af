using Harness.Common;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.Sharding;

/// <summary>Which rank keeps what, counted element by element and against brute force.</summary>
internal sealed class ShardPlanTests
{
    private static readonly ModelShape s_stories = new(5, 64, 172, 8, 4, 8, 512, TiedEmbeddings: true);
    private static readonly ModelShape s_odd = new(7, 36, 37, 12, 3, 4, 101, TiedEmbeddings: false);

    private static readonly (string Part, Func<ModelShape, int> Rows, Func<ModelShape, int> Columns)[] s_layerTensors =
    [
        ("input_layernorm", _ => 1, s => s.Hidden),
        ("self_attn.q_proj", s => s.QueryHeads * s.HeadDimension, s => s.Hidden),
        ("self_attn.k_proj", s => s.KeyValueHeads * s.HeadDimension, s => s.Hidden),
        ("self_attn.v_proj", s => s.KeyValueHeads * s.HeadDimension, s => s.Hidden),
        ("self_attn.o_proj", s => s.Hidden, s => s.QueryHeads * s.HeadDimension),
        ("post_attention_layernorm", _ => 1, s => s.Hidden),
        ("mlp.gate_proj", s => s.FeedForward, s => s.Hidden),
        ("mlp.up_proj", s => s.FeedForward, s => s.Hidden),
        ("mlp.down_proj", s => s.Hidden, s => s.FeedForward),
    ];

    [Test]
    public void EveryElementOfEveryTensorLiesOnAsManyRanksAsItMust([Values(1, 2, 4, 8)] int tensor, [Values(1, 2, 3, 5)] int pipeline) =>
        CheckCover(s_stories, tensor, pipeline);

    [Test]
    public void SoTooWhereWidthsDoNotDivide([Values(1, 3, 6, 12)] int tensor, [Values(1, 4, 7)] int pipeline) =>
        CheckCover(s_odd, tensor, pipeline);

    [Test]
    public void ARankHasTheKeyValueHeadsOfItsQueryHeads([Values(1, 3, 6, 12)] int tensor)
    {
        for (var rank = 0; rank < tensor; rank++)
        {
            var plan = new ShardPlan(s_odd, tensor, 1).For(rank, 0);
            for (var head = 0; head < plan.QueryHeads.Count; head++)
            {
                // as the backend pairs them
                var here = plan.KeyValueHeads.Start + head * plan.KeyValueHeads.Count / plan.QueryHeads.Count;
                var inTheWhole = (plan.QueryHeads.Start + head) * s_odd.KeyValueHeads / s_odd.QueryHeads;
                Assert.That(here, Is.EqualTo(inTheWhole), $"rank {rank}, head {head}");
            }
        }
    }

    [Test]
    public void AFeedForwardOf172Over8RanksIsFourTimes22AndFourTimes21()
    {
        var plan = new ShardPlan(s_stories, 8, 1);
        var slices = Enumerable.Range(0, 8).Select(rank => plan.For(rank, 0).FeedForward).ToArray();
        Assert.That(slices.Select(s => s.Count), Is.EqualTo(new[] { 22, 22, 22, 22, 21, 21, 21, 21 }));
        Assert.That(slices.Select(s => s.Start), Is.EqualTo(new[] { 0, 22, 44, 66, 88, 109, 130, 151 }));
    }

    [Test]
    public void GroupsOfInt8WeightsAreNotCut()
    {
        // 172 columns are five groups of 32 and one of 12: three and three.
        var stories = new ShardPlan(s_stories, 2, 1, DType.Int8);
        Assert.That(Enumerable.Range(0, 2).Select(rank => stories.For(rank, 0).FeedForward),
            Is.EqualTo(new Slice[] { new(0, 96), new(96, 76) }));
        // 11,008 over 16 would be 21.5 groups each: half the ranks have 22 and half 21.
        var seven = new ShardPlan(new(32, 4096, 11008, 32, 32, 128, 32000, false), 16, 1, DType.Int8);
        Assert.That(Enumerable.Range(0, 16).Select(rank => seven.For(rank, 0).FeedForward.Count),
            Is.EqualTo(Enumerable.Repeat(704, 8).Concat(Enumerable.Repeat(672, 8))));
    }

    [Test]
    public void ASplitThatCutsGroupsIsRefusedWithThoseThatDoNot() =>
        Assert.That(() => new ShardPlan(s_stories, 4, 1, DType.Int8), Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
            "--tp 4 cuts the groups of 32 columns that --dtype int8 stores together: a rank has 2 query heads of 8 and a feed-forward of "
            + "43; use one of 1, 2, or another --dtype"));

    [TestCase(3, 1, "--tp 3 does not divide the model's 8 query heads and 4 key/value heads; use one of 1, 2, 4, 8")]
    [TestCase(16, 1, "--tp 16 does not divide the model's 8 query heads and 4 key/value heads; use one of 1, 2, 4, 8")]
    [TestCase(1, 6, "--pp 6 exceeds the model's 5 layers; use 1 to 5")]
    [TestCase(0, 1, "--tp 0 --pp 1: degrees start at 1")]
    public void ASplitThatIsImpossibleIsRefusedWithThoseThatFit(int tensor, int pipeline, string message) =>
        Assert.That(() => new ShardPlan(s_stories, tensor, pipeline), Throws.TypeOf<UserErrorException>().With.Message.EqualTo(message));

    [Test]
    public void TensorDegreesGiveWholeQueryHeadsAndWholeOrReplicatedKeyValueHeads()
    {
        Assert.Multiple(() =>
        {
            // 12 query and 3 key/value heads: 2 and 4 would cut a key/value head or mix two on a rank.
            Assert.That(ShardPlan.TensorDegrees(s_odd), Is.EqualTo(new[] { 1, 3, 6, 12 }));
            // Llama 2 70B: 64 query and 8 key/value heads.
            Assert.That(ShardPlan.TensorDegrees(new(80, 8192, 28672, 64, 8, 128, 32000, false)),
                Is.EqualTo(new[] { 1, 2, 4, 8, 16, 32, 64 }));
            // A vocabulary or feed-forward narrower than the degree would leave ranks with nothing.
            Assert.That(ShardPlan.TensorDegrees(s_stories with { FeedForward = 6 }), Is.EqualTo(new[] { 1, 2, 4 }));
        });
    }

    /// <summary>Against all ways to give every stage at least one layer.</summary>
    [Test]
    public void LayersAreSplitSoThatTheCostliestStageCostsLeast([Range(1, 9)] int layers, [Values(1, 2, 3, 4, 5)] int stages,
        [Values(60, 512, 5000)] int vocabulary)
    {
        if (stages > layers) return;
        var shape = s_stories with { Layers = layers, Vocabulary = vocabulary };
        // What one decoded token reads: attention 2 · 64 · (64 + 32), feed-forward 3 · 64 · 172, two norms; the head and the last norm; one
        // row.
        const long layer = 2 * 64 * (64 + 32) + 3 * 64 * 172 + 2 * 64;
        var head = 64L * vocabulary + 64;

        var plan = new ShardPlan(shape, 1, stages);
        var slices = Enumerable.Range(0, stages).Select(stage => plan.For(0, stage).Layers).ToArray();
        Assert.Multiple(() =>
        {
            Assert.That(slices[0].Start, Is.Zero);
            Assert.That(slices.Skip(1).Select(s => s.Start), Is.EqualTo(slices.SkipLast(1).Select(s => s.End)), "one after the other");
            Assert.That(slices[^1].End, Is.EqualTo(layers));
            Assert.That(slices.Select(s => s.Count), Is.All.GreaterThan(0));
            Assert.That(Costliest([.. slices.Select(s => s.Count)]), Is.EqualTo(Compositions(layers, stages).Min(Costliest)));
        });

        long Costliest(int[] counts) =>
            counts.Select((count, stage) => count * layer + (stage == 0 ? 64 : 0) + (stage == stages - 1 ? head : 0)).Max();
    }

    [Test]
    public void ALargeHeadTakesLayersFromTheLastStage()
    {
        // Llama 3.2 1B: a head of 128,256 · 2048 weighs as much as 4.3 of its 16 layers.
        var plan = new ShardPlan(new(16, 2048, 8192, 32, 8, 64, 128_256, true), 1, 4);
        Assert.That(Enumerable.Range(0, 4).Select(stage => plan.For(0, stage).Layers.Count), Is.EqualTo(new[] { 5, 5, 5, 1 }));
    }

    private static IEnumerable<int[]> Compositions(int total, int parts) => parts == 1
        ? [[total]]
        : from first in Enumerable.Range(1, total - parts + 1)
          from rest in Compositions(total - first, parts - 1)
          select (int[])[first, .. rest];

    private static void CheckCover(ModelShape shape, int tensor, int pipeline)
    {
        var plan = new ShardPlan(shape, tensor, pipeline);
        var counts = new Dictionary<string, int[,]>();
        for (var stage = 0; stage < pipeline; stage++)
            for (var rank = 0; rank < tensor; rank++)
            {
                var names = new HashSet<string>();
                foreach (var slice in plan.For(rank, stage).Tensors())
                {
                    Assert.That(names.Add(slice.Name), $"rank {rank} of stage {stage} has {slice.Name} twice");
                    if (!counts.TryGetValue(slice.Name, out var count))
                        counts[slice.Name] = count = new int[slice.TotalRows, slice.TotalColumns];
                    Assert.That((slice.TotalRows, slice.TotalColumns), Is.EqualTo((count.GetLength(0), count.GetLength(1))));
                    for (var row = slice.Rows.Start; row < slice.Rows.End; row++)
                        for (var column = slice.Columns.Start; column < slice.Columns.End; column++) count[row, column]++;
                }
            }

        var expected = Expected(shape, tensor, pipeline).ToDictionary(e => e.Name);
        Assert.That(counts.Keys, Is.EquivalentTo(expected.Keys));
        foreach (var (name, count) in counts)
        {
            Assert.That((count.GetLength(0), count.GetLength(1)), Is.EqualTo((expected[name].Rows, expected[name].Columns)), name);
            Assert.That(count.Cast<int>(), Is.All.EqualTo(expected[name].Copies), name);
        }
    }

    private static IEnumerable<(string Name, int Rows, int Columns, int Copies)> Expected(ModelShape s, int tensor, int pipeline)
    {
        // A tied table is needed on the first stage, to embed, and on the last, as the head.
        yield return ("model.embed_tokens.weight", s.Vocabulary, s.Hidden, s.TiedEmbeddings && pipeline > 1 ? 2 : 1);
        yield return ("model.norm.weight", 1, s.Hidden, tensor);
        if (!s.TiedEmbeddings) yield return ("lm_head.weight", s.Vocabulary, s.Hidden, 1);
        for (var layer = 0; layer < s.Layers; layer++)
            foreach (var (part, rows, columns) in s_layerTensors)
            {
                var copies = part.EndsWith("norm", StringComparison.Ordinal) ? tensor
                    : part is "self_attn.k_proj" or "self_attn.v_proj" ? Math.Max(1, tensor / s.KeyValueHeads)
                    : 1;
                yield return ($"model.layers.{layer}.{part}.weight", rows(s), columns(s), copies);
            }
    }
}
