namespace Harness.Sharding;

/// <summary>The sizes of a LLaMA that sharding depends on.</summary>
public sealed record ModelShape(
    int Layers,
    int Hidden,
    int FeedForward,
    int QueryHeads,
    int KeyValueHeads,
    int HeadDimension,
    int Vocabulary,
    bool TiedEmbeddings)
{
    /// <summary>Queries, keys and values have a bias (Qwen2).</summary>
    public bool QkvBias { get; init; }

    /// <summary>Each head of queries and of keys has a norm, whose gain all heads share (Qwen3).</summary>
    public bool HeadNorms { get; init; }

    public long AttentionParameters => (long)Hidden * HeadDimension * 2 * (QueryHeads + KeyValueHeads)
        + (QkvBias ? (long)HeadDimension * (QueryHeads + 2 * KeyValueHeads) : 0) + (HeadNorms ? 2L * HeadDimension : 0);
    public long FeedForwardParameters => 3L * Hidden * FeedForward;

    /// <summary>Attention, feed-forward and the two norms of one block.</summary>
    public long LayerParameters => AttentionParameters + FeedForwardParameters + 2L * Hidden;
    public long EmbeddingParameters => (long)Vocabulary * Hidden;
    public long Parameters => Layers * LayerParameters + EmbeddingParameters * (TiedEmbeddings ? 1 : 2) + Hidden;
}
