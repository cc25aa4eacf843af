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
    public long AttentionParameters => (long)Hidden * HeadDimension * 2 * (QueryHeads + KeyValueHeads);
    public long FeedForwardParameters => 3L * Hidden * FeedForward;

    /// <summary>Attention, feed-forward and the two norms of one block.</summary>
    public long LayerParameters => AttentionParameters + FeedForwardParameters + 2L * Hidden;
    public long EmbeddingParameters => (long)Vocabulary * Hidden;
    public long Parameters => Layers * LayerParameters + EmbeddingParameters * (TiedEmbeddings ? 1 : 2) + Hidden;
}
