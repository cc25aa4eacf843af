namespace Harness.Tensors.Cpu;

/// <summary>
/// Float32 keys and values. For each layer, slot and key/value head: keys in blocks of 16 tokens, [token / 16][feature][16],
/// so that one vector holds one feature of 16 tokens and scores need no horizontal sums; values [token][feature].
/// Pages are taken when tokens are first written.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    public const int BlockTokens = 16;

    private readonly PageBlock _pages;
    private readonly long _headFloats;
    private readonly long _keyFloats;

    public CpuKvCache(int layers, int slots, int capacity, AttentionHeads heads)
    {
        Heads = heads;
        var tokens = ((long)capacity + BlockTokens - 1) / BlockTokens * BlockTokens;
        _keyFloats = tokens * heads.Dimension;
        _headFloats = 2 * _keyFloats;
        _pages = new PageBlock(_headFloats * heads.KeyValues * slots * layers * sizeof(float), hugePages: false);
    }

    public AttentionHeads Heads { get; }
    public RopeTable Rope { get; } = new();

    public override long Bytes => _pages.Bytes;

    /// <summary>[token / 16][feature][16].</summary>
    public float* Keys(int layer, int slot, int head) =>
        (float*)_pages.Data + (((long)layer * Slots + slot) * Heads.KeyValues + head) * _headFloats;

    /// <summary>[token][feature].</summary>
    public float* Values(int layer, int slot, int head) => Keys(layer, slot, head) + _keyFloats;

    public override void Dispose()
    {
        _pages.Dispose();
        Rope.Dispose();
    }
}
