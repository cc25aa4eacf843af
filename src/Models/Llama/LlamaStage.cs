using Harness.Models.Llama.Checkpoints;
using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama;

/// <summary>What one forward pass computes.</summary>
/// <param name="Tokens">[Batch.Rows] token ids, sequence after sequence.</param>
/// <param name="Batch">Where those tokens stand in their sequences.</param>
/// <param name="OutputRows">Rows whose logits are wanted.</param>
public sealed record ForwardPass(int[] Tokens, RaggedBatch Batch, int[] OutputRows);

/// <summary>
/// One rank's part of a LLaMA: its layers (pipeline stage), and of each its heads and features (tensor rank). The whole
/// model is the case of one stage and one tensor rank.
/// </summary>
public sealed class LlamaStage
{
    private readonly ITensorBackend _ops;
    private readonly LlamaConfig _config;
    private readonly RankPlan _plan;
    private readonly ITensorLink _tensorGroup, _pipeline;
    private readonly Block[] _blocks;
    private readonly Weight? _embedding, _norm, _head;

    public AttentionHeads Heads { get; }

    /// <summary>Bytes of this rank's slices in the checkpoint.</summary>
    public long BytesRead { get; }

    /// <summary>Bytes that this rank's weights occupy.</summary>
    public long BytesResident { get; }

    /// <param name="storage">Element type in which matrices are kept.</param>
    /// <param name="pipeline">The stages in order; this rank's number in it is its stage.</param>
    public LlamaStage(ITensorBackend ops, ICheckpoint checkpoint, RankPlan plan, DType storage, ITensorLink tensorGroup,
        ITensorLink pipeline)
    {
        (_ops, _plan, _config, _tensorGroup, _pipeline) = (ops, plan, checkpoint.Config, tensorGroup, pipeline);
        Heads = new(plan.QueryHeads.Count, plan.KeyValueHeads.Count, _config.Shape.HeadDimension, _config.Rotary.Frequencies,
            _config.Window);

        if (plan.IsFirstStage) _embedding = Load(RankPlan.Embedding, storage);
        _blocks = [.. Enumerable.Range(plan.Layers.Start, plan.Layers.Count)
            .Select(layer => new Block(ops, checkpoint, plan, layer, storage))];
        if (plan.IsLastStage)
        {
            _norm = Load(RankPlan.FinalNorm, DType.F32);
            _head = plan.HeadName == RankPlan.Embedding && _embedding != null ? _embedding : Load(plan.HeadName, storage);
        }
        BytesRead = plan.Tensors().Sum(slice => slice.Elements * checkpoint.Read(slice).DType.Bytes());
        BytesResident = _blocks.SelectMany(block => block.Weights).Concat([_embedding, _norm, _head])
            .Where(weight => weight != null).Distinct().Sum(weight => weight!.ResidentBytes);

        Weight Load(string name, DType dtype) => ops.LoadWeight([checkpoint.Read(plan.Find(name))], dtype);
    }

    public KvCache NewCache(int slots, int capacity) => _ops.NewKvCache(_blocks.Length, slots, capacity, Heads);

    /// <summary>
    /// Runs this stage's layers. The last stage returns the logits of the output rows over this rank's part of the
    /// vocabulary, [output rows, vocabulary slice], or null where no row was asked for; the others send their activations
    /// on and return null.
    /// </summary>
    public Tensor? Forward(ForwardPass pass, KvCache cache)
    {
        var x = _plan.IsFirstStage ? Embed(pass.Tokens, _tensorGroup) : FromStageBefore(pass);

        for (var layer = 0; layer < _blocks.Length; layer++) Advance(x, cache, layer, pass.Batch, _tensorGroup);

        if (!_plan.IsLastStage)
        {
            _pipeline.Send(x, _pipeline.Rank + 1);
            return null;
        }
        return pass.OutputRows.Length == 0 ? null : Logits(x, pass.OutputRows);
    }

    /// <summary>The same pass, slowly, with a look at what every layer gives.</summary>
    internal void Examine(ForwardPass pass, KvCache cache, Generation.ActivationProbe probe)
    {
        var x = _plan.IsFirstStage ? Embed(pass.Tokens, probe) : FromStageBefore(pass);
        if (_plan.IsFirstStage) probe.EndLayer(-1, x);

        for (var layer = 0; layer < _blocks.Length; layer++)
        {
            probe.BeginLayer(_plan.Layers.Start + layer);
            Advance(x, cache, layer, pass.Batch, probe);
            probe.EndLayer(_plan.Layers.Start + layer, x);
        }
        if (_plan.IsLastStage) probe.Look(Logits(x, pass.OutputRows), Generation.PassPart.Residual);
        else _pipeline.Send(x, _pipeline.Rank + 1);
    }

    private Tensor FromStageBefore(ForwardPass pass) => _pipeline.Receive(pass.Batch.Rows, _config.Shape.Hidden, _pipeline.Rank - 1);

    /// <summary>One of this stage's layers.</summary>
    private void Advance(Tensor x, KvCache cache, int layer, RaggedBatch batch, ITensorLink tensorGroup) =>
        _blocks[layer].Forward(_ops, x, cache, layer, batch, Heads, _config.NormEpsilon, tensorGroup);

    private Tensor Logits(Tensor x, int[] rows)
    {
        x = _ops.RmsNorm(_ops.SelectRows(x, rows), _norm!, _config.NormEpsilon);
        return _ops.Linear(x, _head!);
    }

    private Tensor Embed(int[] tokens, ITensorLink tensorGroup)
    {
        var x = _ops.Embed(_embedding!, _plan.Vocabulary.Start, tokens);     // vocabulary-parallel: zeros for other ranks' tokens
        tensorGroup.AllReduce(x);
        return x;
    }
}
