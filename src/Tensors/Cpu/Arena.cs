namespace Harness.Tensors.Cpu;

/// <summary>Memory given out upwards and taken back to a mark; its pages are kept for the next pass.</summary>
internal sealed unsafe class Arena : IDisposable
{
    private const long BlockBytes = 64L << 20;
    private const long Alignment = 64;

    private readonly List<PageBlock> _blocks = [];
    private int _block;
    private long _used;

    public readonly record struct Mark(int Block, long Used);

    public Mark Current => new(_block, _used);

    public void Release(Mark mark) => (_block, _used) = (mark.Block, mark.Used);

    /// <summary>Uninitialised memory, aligned to a cache line.</summary>
    public void* Take(long bytes)
    {
        bytes = (bytes + Alignment - 1) / Alignment * Alignment;
        while (_block < _blocks.Count && _used + bytes > _blocks[_block].Bytes)
        {
            _block++;
            _used = 0;
        }
        if (_block == _blocks.Count) _blocks.Add(new PageBlock(Math.Max(bytes, BlockBytes), hugePages: true));
        var data = _blocks[_block].Data + _used;
        _used += bytes;
        return data;
    }

    public void Dispose()
    {
        foreach (var block in _blocks) block.Dispose();
        _blocks.Clear();
        (_block, _used) = (0, 0);
    }
}
