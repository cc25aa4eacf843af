namespace Harness.Tensors.Cpu;

/// <summary>
/// Float32 keys and values. For each layer, slot and key/value head: keys in blocks of 16 tokens, [token / 16][feature][16],
/// so that vectors hold one feature of several tokens and scores need no horizontal sums; values [token][feature],
/// features padded with zeros to a multiple of 16. Pages are taken when tokens are first written.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    public const int BlockTokens = 16;

    /// <summary>Kernels read keys by two vectors of up to 16 tokens.</summary>
    private const int CapacityMultiple = 2 * BlockTokens;

    private readonly PageBlock _pages;

    public CpuKvCache(int layers, int slots, int capacity, AttentionHeads heads)
    {
        Heads = heads;
        var tokens = ((long)capacity + CapacityMultiple - 1) / CapacityMultiple * CapacityMultiple;
        PaddedDimension = (heads.Dimension + 15) / 16 * 16;
        KeyFloats = tokens * heads.Dimension;
        HeadFloats = KeyFloats + tokens * PaddedDimension;
        _pages = new PageBlock(HeadFloats * heads.KeyValues * slots * layers * sizeof(float), hugePages: false);
    }

    public AttentionHeads Heads { get; }
    public RopeTable Rope { get; } = new();
    public int PaddedDimension { get; }

    /// <summary>From one head of a slot to the next.</summary>
    public long HeadFloats { get; }

    /// <summary>From the keys of a head to its values.</summary>
    public long KeyFloats { get; }

    public override long Bytes => _pages.Bytes;

    /// <summary>[token / 16][feature][16].</summary>
    public float* Keys(int layer, int slot, int head) =>
        (float*)_pages.Data + (((long)layer * Slots + slot) * Heads.KeyValues + head) * HeadFloats;

    public override void Dispose()
    {
        _pages.Dispose();
        Rope.Dispose();
    }
}
