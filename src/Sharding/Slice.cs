namespace Harness.Sharding;

/// <summary>A contiguous range of rows, columns, heads or layers.</summary>
public readonly record struct Slice(int Start, int Count)
{
    public int End => Start + Count;

    public static Slice All(int total) => new(0, total);

    /// <summary>
    /// Part <paramref name="index"/> of <paramref name="total"/> over <paramref name="parts"/>, as even as whole numbers
    /// allow: the first total mod parts get one more (172 over 8 is 22, 22, 22, 22, 21, 21, 21, 21).
    /// </summary>
    public static Slice Even(int total, int parts, int index)
    {
        var (size, rest) = Math.DivRem(total, parts);
        return new(index * size + Math.Min(index, rest), size + (index < rest ? 1 : 0));
    }

    /// <summary>The same where only multiples of <paramref name="group"/> are cut at: 172 over 2 by 32 is 96, 76.</summary>
    public static Slice Even(int total, int parts, int index, int group)
    {
        var groups = Even((total + group - 1) / group, parts, index);
        var start = Math.Min(groups.Start * group, total);
        return new(start, Math.Min(groups.End * group, total) - start);
    }

    /// <summary>This range in units of <paramref name="width"/> elements each: heads to rows.</summary>
    public Slice Times(int width) => new(Start * width, Count * width);
}
