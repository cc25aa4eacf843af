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

    public Block(ITensorBackend ops, ICheckpoint checkpoint, RankPlan plan, int layer, DType storage)
    {
        _attentionNorm = Load(DType.F32, "input_layernorm");
        _qkv = Load(storage, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj");
        _output = Load(storage, "self_attn.o_proj");
        _feedForwardNorm = Load(DType.F32, "post_attention_layernorm");
        _gateUp = Load(storage, "mlp.gate_proj", "mlp.up_proj");
        _down = Load(storage, "mlp.down_proj");

        Weight Load(DType dtype, params string[] parts) =>
            ops.LoadWeight([.. parts.Select(part => checkpoint.Read(plan.Find(RankPlan.Layer(layer, part))))], dtype);
    }

    public IEnumerable<Weight> Weights => [_attentionNorm, _qkv, _output, _feedForwardNorm, _gateUp, _down];

    /// <summary>Advances the residual stream <paramref name="x"/>, [rows, hidden], in place.</summary>
    public void Forward(ITensorBackend ops, Tensor x, KvCache cache, int layer, RaggedBatch batch, AttentionHeads heads, float epsilon,
        ITensorLink tensorGroup)
    {
        using var scope = ops.Scope();
        var h = ops.RmsNorm(x, _attentionNorm, epsilon);
        h = ops.Attend(ops.Linear(h, _qkv), cache, layer, batch, heads);    // column-parallel: this rank's heads
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
