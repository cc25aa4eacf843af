namespace Harness.Tensors.Cpu;

/// <summary>
/// Row-major float32 in the arena. The object is reused by the scopes that follow, so that a decode step allocates nothing.
/// </summary>
internal sealed unsafe class CpuTensor : Tensor
{
    private float* _data;

    public float* Data => _data != null ? _data : throw new ObjectDisposedException(nameof(Tensor), "the scope in which this tensor was "
        + "made has ended");

    public long Length => (long)Rows * Columns;

    public void Set(int rows, int columns, float* data)
    {
        (Rows, Columns) = (rows, columns);
        _data = data;
    }

    public void Clear() => _data = null;
}
