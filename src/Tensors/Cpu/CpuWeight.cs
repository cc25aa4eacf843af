using System.Runtime.CompilerServices;

namespace Harness.Tensors.Cpu;

/// <summary>Dense rows in one place: outputs [FirstOutput, FirstOutput + Rows) of a weight.</summary>
internal readonly unsafe struct WeightSegment(byte* data, int firstOutput, int rows)
{
    public readonly byte* Data = data;
    public readonly int FirstOutput = firstOutput;
    public readonly int Rows = rows;
}

/// <summary>
/// One or several segments of rows in the weight's element type, so that a fused product serves them in one parallel region.
/// </summary>
internal sealed unsafe class CpuWeight : Weight
{
    private readonly WeightSegment[] _segments;

    public CpuWeight(IReadOnlyList<WeightSegment> segments)
    {
        // Pinned: the kernels hold a pointer to it.
        _segments = GC.AllocateArray<WeightSegment>(segments.Count, pinned: true);
        for (var i = 0; i < _segments.Length; i++) _segments[i] = segments[i];
        Segments = (WeightSegment*)Unsafe.AsPointer(ref _segments[0]);
    }

    /// <summary>Valid as long as this object is reachable.</summary>
    public WeightSegment* Segments { get; }

    public int SegmentCount => _segments.Length;

    public long RowBytes => (long)Inputs * DType.Bytes();

    /// <summary>A weight of one row or one column as float32, pinned: a norm's gain, a bias.</summary>
    public float* Vector
    {
        get
        {
            if (_vector == null)
            {
                _vector = GC.AllocateUninitializedArray<float>(Outputs * Inputs, pinned: true);
                fixed (float* vector = _vector)
                    foreach (var segment in _segments)
                        ElementConversion.ToSingle(segment.Data, DType, vector + segment.FirstOutput * Inputs, segment.Rows * Inputs);
            }
            return (float*)Unsafe.AsPointer(ref _vector[0]);
        }
    }

    private float[]? _vector;

    /// <summary>Start of one row.</summary>
    public byte* Row(int output)
    {
        foreach (var segment in _segments)
            if (output < segment.FirstOutput + segment.Rows)
                return segment.Data + (output - segment.FirstOutput) * RowBytes;
        throw new ArgumentOutOfRangeException(nameof(output), output, $"the weight has {Outputs} rows");
    }
}
