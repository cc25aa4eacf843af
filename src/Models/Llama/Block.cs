using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama;

/// <summary>
/// One transformer layer (Touvron et al. 2023): pre-norm attention and SwiGLU feed-forward, each added to the residual stream.
/// </summary>
internal sealed class Block
{
    private readonly Weight _attentionNorm, _qkv, _output, _feedForwardNorm, _gateUp, _down;
    private readonly Weight? _qkvBias;
    private readonly HeadNorms? _headNorms;

    /// <summary>The gains by which each head of queries and of keys is normed before it is rotated, [1, head dim] (Qwen3).</summary>
    private sealed record HeadNorms(Weight Query, Weight Key);

    public Block(ITensorBackend ops, ICheckpoint checkpoint, RankPlan plan, int layer, DType storage)
    {
        var shape = checkpoint.Config.Shape;
        _attentionNorm = Load(DType.F32, "input_layernorm.weight");
        _qkv = Load(storage, "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight");
        if (shape.QkvBias) _qkvBias = Load(DType.F32, "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias");
        if (shape.HeadNorms)
            _headNorms = new(Load(DType.F32, "self_attn.q_norm.weight"), Load(DType.F32, "self_attn.k_norm.weight"));
        _output = Load(storage, "self_attn.o_proj.weight");
        _feedForwardNorm = Load(DType.F32, "post_attention_layernorm.weight");
        _gateUp = Load(storage, "mlp.gate_proj.weight", "mlp.up_proj.weight");
        _down = Load(storage, "mlp.down_proj.weight");

        Weight Load(DType dtype, params string[] parts) =>
            ops.LoadWeight([.. parts.Select(part => checkpoint.Read(plan.Find(RankPlan.Layer(layer, part))))], dtype);
    }

    public IEnumerable<Weight> Weights =>
    [
        _attentionNorm, _qkv, .. _qkvBias is { } bias ? (Weight[])[bias] : [],
        .. _headNorms is { } norms ? (Weight[])[norms.Query, norms.Key] : [], _output, _feedForwardNorm, _gateUp, _down,
    ];

    /// <summary>Advances the residual stream <paramref name="x"/>, [rows, hidden], in place.</summary>
    public void Forward(ITensorBackend ops, Tensor x, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads, float epsilon,
        ITensorLink tensorGroup)
    {
        using var scope = ops.Scope();
        var h = ops.RmsNorm(x, _attentionNorm, epsilon);
        h = ops.Linear(h, _qkv, _qkvBias);                                  // column-parallel: this rank's heads
        if (_headNorms is { } norms) ops.NormHeads(h, norms.Query, norms.Key, heads, epsilon);
        h = ops.Attend(h, cache, layer, batch, heads);
        h = ops.Linear(h, _output);                                         // row-parallel: a partial sum
        tensorGroup.AllReduce(h);
        ops.Add(x, h);

        h = ops.RmsNorm(x, _feedForwardNorm, epsilon);
        h = ops.SwiGlu(ops.Linear(h, _gateUp));                             // column-parallel: this rank's features
        h = ops.Linear(h, _down);                                           // row-parallel: a partial sum
        tensorGroup.AllReduce(h);
        ops.Add(x, h);
    }
}
