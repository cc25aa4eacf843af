namespace Harness.Tensors.Cpu;

/// <summary>
/// Keys and values in one element type. For each layer, slot and key/value head: keys in blocks of 2 · lanes tokens,
/// [token / block][feature][block], so that vectors hold one feature of several tokens and scores need no horizontal sums; values
/// [token][feature], features padded with zeros to a multiple of 2 · lanes. Of 16-bit types the two halves of a block are interleaved,
/// as <see cref="IWeightElement"/> reads them. Pages are taken when tokens are first written.
/// </summary>
internal sealed unsafe class CpuKvCache : KvCache
{
    private readonly PageBlock _pages;

    /// <param name="lanes">Float32 numbers of a vector.</param>
    public CpuKvCache(int layers, int slots, int capacity, AttentionHeads heads, DType dtype, int lanes)
    {
        Heads = heads;
        DType = dtype;
        var block = 2L * lanes;
        var tokens = (capacity + block - 1) / block * block;
        PaddedDimension = (int)((heads.Dimension + block - 1) / block * block);
        KeyBytes = tokens * heads.Dimension * dtype.Bytes();
        HeadBytes = KeyBytes + tokens * PaddedDimension * dtype.Bytes();
        _pages = new PageBlock(HeadBytes * heads.KeyValues * slots * layers, hugePages: true);
    }

    public AttentionHeads Heads { get; }
    public DType DType { get; }
    public RopeTable Rope { get; } = new();
    public int PaddedDimension { get; }

    /// <summary>From one head of a slot to the next.</summary>
    public long HeadBytes { get; }

    /// <summary>From the keys of a head to its values.</summary>
    public long KeyBytes { get; }

    public override long Bytes => _pages.Bytes;

    /// <summary>[token / block][feature][block].</summary>
    public byte* Keys(int layer, int slot, int head) =>
        _pages.Data + (((long)layer * Slots + slot) * Heads.KeyValues + head) * HeadBytes;

    public override void Dispose()
    {
        _pages.Dispose();
        Rope.Dispose();
    }
}
