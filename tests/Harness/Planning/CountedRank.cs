using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Generation;
using Harness.Planning;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Tests.Planning;

/// <summary>One rank of the real forward pass and generator, over a backend and links that only count.</summary>
internal sealed class CountedRank
{
    private readonly ShardPlan _plan;
    private readonly PlannedWork _work;

    public CountingBackend Backend { get; }
    public CountingLink TensorLink { get; }
    public CountingLink Pipeline { get; }
    public CountingCommunicator TensorRanks { get; }
    public LlamaStage Stage { get; }
    public KvCache Cache { get; }

    public CountedRank(string model, int tensor, int pipeline, int tensorRank, int stage, PlannedWork work)
    {
        var checkpoint = new SyntheticCheckpoint($"synthetic:{model}");
        _work = work;
        _plan = new ShardPlan(checkpoint.Config.Shape, tensor, pipeline, work.Weights);
        Backend = new() { CacheType = work.Cache };
        TensorLink = new(tensorRank, tensor, Backend, work.Wire);
        Pipeline = new(stage, pipeline, Backend, work.Wire);
        TensorRanks = new(tensorRank, tensor);
        Stage = new(Backend, checkpoint, _plan.For(tensorRank, stage), work.Weights, TensorLink, Pipeline);
        Cache = Stage.NewCache(work.BatchSize, work.MaxLength);
    }

    /// <summary>A whole batch: every prompt leaves room for the tokens that are generated.</summary>
    public void Generate(int newTokens)
    {
        var group = new ReplicaGroup
        {
            Replica = new CountingCommunicator(Pipeline.Rank * _plan.Tensor + TensorLink.Rank, _plan.Tensor * _plan.Pipeline),
            TensorRanks = TensorRanks,
            TensorLink = TensorLink,
            Pipeline = Pipeline,
            VocabularyWidths = [.. Enumerable.Range(0, _plan.Tensor).Select(rank => _plan.For(rank, 0).Vocabulary.Count)],
        };
        var settings = new GenerationSettings(new(_work.Greedy ? 0 : 0.8f), 0, new HashSet<int>(), _work.MicroBatchesOver(_plan.Pipeline),
            _work.PrefillRows);
        new Generator(Backend, Stage, group, settings)
            .Run(new StaticSchedule([.. Enumerable.Range(0, _work.BatchSize)
            .Select(i => new Sequence(i, i, new int[_work.MaxLength - newTokens], newTokens))]), Cache);
    }

    /// <summary>One pass over so many sequences, each advanced from one position to another.</summary>
    public void Forward(int sequences, int from, int to)
    {
        var batch = new RaggedBatch
        {
            Slots = [.. Enumerable.Range(0, sequences)],
            Starts = [.. Enumerable.Repeat(from, sequences)],
            Counts = [.. Enumerable.Repeat(to - from, sequences)],
        };
        using var scope = Backend.Scope();
        Stage.Forward(new(new int[batch.Rows], batch, [.. Enumerable.Range(1, sequences).Select(i => i * (to - from) - 1)]), Cache);
    }
}
