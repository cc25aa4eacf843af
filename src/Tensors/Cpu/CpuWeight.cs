namespace Harness.Tensors.Cpu;

/// <summary>Dense rows in one place: outputs [FirstOutput, FirstOutput + Rows) of a weight.</summary>
internal readonly unsafe struct WeightSegment(byte* data, int firstOutput, int rows)
{
    public readonly byte* Data = data;
    public readonly int FirstOutput = firstOutput;
    public readonly int Rows = rows;
}

/// <summary>One or several segments of rows in the weight's element type, so that a fused product serves them in one parallel region.</summary>
internal sealed class CpuWeight : Weight
{
    public required WeightSegment[] Segments { get; init; }

    public long RowBytes => (long)Inputs * DType.Bytes();

    /// <summary>Start of one row.</summary>
    public unsafe byte* Row(int output)
    {
        foreach (var segment in Segments)
            if (output < segment.FirstOutput + segment.Rows)
                return segment.Data + (output - segment.FirstOutput) * RowBytes;
        throw new ArgumentOutOfRangeException(nameof(output), output, $"the weight has {Outputs} rows");
    }
}
