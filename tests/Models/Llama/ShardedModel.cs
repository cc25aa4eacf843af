using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Generation;
using Harness.Seams;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Links;
using Harness.Tensors;
using Harness.Tensors.Cpu;

namespace Harness.Tests.Models.Llama;

/// <summary>A checkpoint spread over ranks that are threads of this process; one rank is the unsharded model.</summary>
internal sealed record ShardedModel(string Model, int Tensor = 1, int Pipeline = 1)
{
    /// <summary>Null: as the checkpoint stores them.</summary>
    public DType? Storage { get; init; }
    public DType Wire { get; init; } = DType.F32;
    public DType Activations { get; init; } = DType.F32;
    public string Backend { get; init; } = CpuBackend.Word;

    internal sealed record Rank(ICommunicator World, ITensorBackend Backend, LlamaConfig Config, LlamaStage Stage, ReplicaGroup Group);

    /// <returns>What every rank gives, in rank order.</returns>
    public T[] OnEveryRank<T>(Func<Rank, T> body)
    {
        var results = new T[Tensor * Pipeline];
        ThreadWorld.Run(results.Length, world =>
        {
            using var checkpoint = Checkpoint.Open(Model);
            using var groups = new GridGroups(new ProcessGrid(Tensor, Pipeline, 1), world);
            using var backend = TestLibTorch.Factory(Backend).Create(new(1, world.Rank, world.Size, Activations));
            var shape = checkpoint.Config.Shape;
            var group = new ReplicaGroup
            {
                Replica = groups.Replica,
                TensorRanks = groups.Tensor,
                TensorLink = Link(groups.Tensor, backend),
                Pipeline = Link(groups.Pipeline, backend),
                VocabularyWidths = [.. Enumerable.Range(0, Tensor).Select(rank => Slice.Even(shape.Vocabulary, Tensor, rank).Count)],
            };
            var storage = Storage ?? checkpoint.DType;
            var plan = new ShardPlan(shape, Tensor, Pipeline, storage).For(groups.Position.TensorRank, groups.Position.Stage);
            var stage = new LlamaStage(backend, checkpoint, plan, storage, group.TensorLink, group.Pipeline);
            results[world.Rank] = body(new(world, backend, checkpoint.Config, stage, group));
        });
        return results;
    }

    /// <summary>[positions][vocabulary], as <c>harness score</c> gets them.</summary>
    public float[][] Logits(int[] tokens)
    {
        var rows = OnEveryRank(rank =>
        {
            var logits = new List<float[]>();
            new Scorer(rank.Backend, rank.Stage, rank.Group, rank.Config.Shape.Vocabulary).Run(tokens, (position, row) =>
            {
                if (position != logits.Count) throw new InvalidOperationException($"position {position} came where {logits.Count} was due");
                logits.Add(row.ToArray());
            });
            return logits.ToArray();
        });
        return rows[0];
    }

    /// <summary>Each prompt's output tokens as the first rank has them.</summary>
    public int[][] Generate(IEnumerable<int[]> prompts, int maxNewTokens, GenerationSettings? settings = null) =>
        Generate([.. prompts.Select((prompt, i) => new Sequence(i, i, prompt, maxNewTokens))], settings ?? Greedy)[0];

    /// <summary>Each prompt's output tokens, on every rank. The sequences given are a pattern: each rank runs copies of them.</summary>
    public int[][][] Generate(Sequence[] pattern, GenerationSettings settings) => OnEveryRank(rank =>
    {
        Sequence[] sequences = [.. pattern.Select(s => new Sequence(s.Id, s.Stream, [.. s.Tokens], s.MaxNewTokens))];
        using var cache = rank.Stage.NewCache(sequences.Length, sequences.Max(s => s.PromptLength + s.MaxNewTokens));
        new Generator(rank.Backend, rank.Stage, rank.Group, settings).Run(new StaticSchedule(sequences), cache);
        return sequences.Select(s => s.Output).ToArray();
    });

    public static GenerationSettings Greedy => new(new SamplingParameters(), Seed: 0, EndOfText: new HashSet<int>());

    private ITensorLink Link(ICommunicator ranks, ITensorBackend backend) =>
        ranks.Size == 1 ? new SoloLink() : new HostLink(ranks, backend, Wire);
}
