namespace Harness.Fuzz;

/// <summary>What one input may take.</summary>
internal sealed record Limits
{
    /// <summary>Of the thread's processor time, so that a machine at work does not count.</summary>
    public double Seconds { get; init; } = 1;

    /// <summary>Of processor time, after which an input is left alone, unfinished.</summary>
    public double EndlessSeconds { get; init; } = 10;

    /// <summary>By the wall clock, for one that waits for something.</summary>
    public double WaitSeconds { get; init; } = 120;

    /// <summary>Managed memory for each byte of input.</summary>
    public long BytesPerByte { get; init; } = 1_000;

    /// <summary>And beside it: buffers and tables of a fixed size.</summary>
    public long Bytes { get; init; } = 64L << 20;

    public long BytesFor(byte[] input) => Bytes + BytesPerByte * input.Length;
}
