using Harness.Models.Llama;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
using Harness.Sharding.Links;
using Harness.Tensors;

namespace Harness.Bench.Peers;

/// <summary>This project's forward pass on one of its backends.</summary>
internal sealed class StageModel : IModelUnderTest
{
    private readonly ITensorBackend _ops;
    private readonly LlamaStage _stage;
    private readonly KvCache _cache;
    private readonly int _sequences;
    private readonly int _vocabulary;

    /// <param name="ops">Disposed with this.</param>
    public StageModel(string name, ICheckpoint checkpoint, DType dtype, ITensorBackend ops, int sequences)
    {
        (Name, _ops, _sequences, _vocabulary) = (name, ops, sequences, checkpoint.Config.Shape.Vocabulary);
        _stage = new LlamaStage(ops, checkpoint, new ShardPlan(checkpoint.Config.Shape, 1, 1).For(0, 0), dtype, new SoloLink(),
            new SoloLink());
        // A slot of its own for the prompt.
        _cache = _stage.NewCache(sequences + 1, IModelUnderTest.PrefillTokens);
        for (var s = 0; s < sequences; s++) Forward(s, 1, 0, IModelUnderTest.Context);
    }

    public string Name { get; }

    public void Decode(int sequences) => Forward(0, sequences, IModelUnderTest.Context, 1);

    public float[] Prefill() => Forward(_sequences, 1, 0, IModelUnderTest.PrefillTokens);

    /// <summary>Logits of each sequence's last token.</summary>
    private float[] Forward(int slot, int sequences, int start, int tokens)
    {
        using var scope = _ops.Scope();
        var batch = new RaggedBatch
        {
            Slots = [.. Enumerable.Range(slot, sequences)],
            Starts = [.. Enumerable.Repeat(start, sequences)],
            Counts = [.. Enumerable.Repeat(tokens, sequences)],
        };
        var ids = Enumerable.Range(0, batch.Rows).Select(i => IModelUnderTest.Token(start + i % tokens)).ToArray();
        var logits = _stage.Forward(new(ids, batch, [.. Enumerable.Range(1, sequences).Select(s => s * tokens - 1)]), _cache)!;
        var values = new float[sequences * _vocabulary];
        _ops.ReadHost(logits, values);
        return values;
    }

    public void Dispose()
    {
        _cache.Dispose();
        _ops.Dispose();
    }
}
